//! A drawing holds whatever names an estate has: boxes do not meet, curves end at boxes, and what is foreign stays short.
#![expect(clippy::unwrap_used, reason = "a test may stop")]

use countersign_govern::{By, EstateMap, MapEdge, MapItem, MapWhat, Opened};

use super::*;

fn item(number: u64, inside: bool) -> MapItem {
    MapItem {
        id: format!("kind:{number}"),
        what: MapWhat::Box,
        label: Some(number.to_string()),
        node: None,
        inside,
        boxes: 1,
        nodes: number * 1_000_000,
        identities: number,
        tier_zero: number % 2,
        leads: 0,
        steps: None,
    }
}

fn map(outside: u64, inside: u64) -> EstateMap {
    let items: Vec<MapItem> =
        (0..outside).map(|number| item(number, false)).chain((0..inside).map(|number| item(number, true))).collect();
    let pairs = (0..items.len()).flat_map(|from| (0..items.len()).map(move |to| (from, to)));
    let edges = pairs.filter(|(from, to)| from != to).map(|(from, to)| MapEdge {
        from,
        to,
        edges: (from * to) as u64 + 1,
        ways: (from % 3) as u64,
        conditional: 0,
        relations: Vec::new(),
    });
    EstateMap {
        by: By::Kind,
        open: (inside > 0).then(|| Opened {
            id: "kind:x".to_owned(),
            label: Some("\u{202E}<b>".repeat(500)),
            within: None,
            within_label: None,
            nodes: 9,
        }),
        edges: edges.take(60).collect(),
        items,
        more_pairs: 0,
        more_edges: 0,
        inner_edges: 0,
        listed: outside,
        skip: 0,
        next: None,
        flows: Vec::new(),
        inner_flows: 0,
        more_flows: 0,
        unplaced_flows: 0,
    }
}

fn drawing(map: &EstateMap, name: &str) -> Drawing {
    let names = vec![name.to_owned(); map.items.len()];
    draw(map, &names, &|item| item.id.clone(), &|from, to| format!("{}-{}", from.id, to.id))
}

#[test]
fn boxes_do_not_meet_and_lie_in_the_drawing() {
    for (outside, inside) in [(0, 0), (1, 0), (2, 0), (7, 0), (25, 0), (11, 25), (1, 1), (0, 25), (11, 3)] {
        let map = map(outside, inside);
        let drawing = drawing(&map, "a name");
        assert_eq!(drawing.boxes.len(), map.items.len());
        for (number, one) in drawing.boxes.iter().enumerate() {
            assert!(one.x >= 0 && one.y >= 0, "{one:?}");
            assert!(one.x + WIDTH <= drawing.width && one.y + HEIGHT <= drawing.height, "{one:?} of {drawing:?}");
            for other in drawing.boxes.iter().skip(number + 1) {
                let apart = (one.x - other.x).abs() >= WIDTH || (one.y - other.y).abs() >= HEIGHT;
                assert!(apart, "{outside} and {inside}: {one:?} and {other:?}");
            }
        }
        if let Some(frame) = &drawing.frame {
            assert!(frame.y + frame.height <= drawing.height && frame.x + frame.width <= drawing.width, "{frame:?}");
            for one in drawing
                .boxes
                .iter()
                .zip(columns(&map).iter().flat_map(|column| column.places.iter().map(|_| column.inside)))
            {
                let (one, inside) = one;
                let is_in = one.x >= frame.x && one.x + WIDTH <= frame.x + frame.width;
                assert_eq!(is_in, inside, "{one:?} and {frame:?}");
            }
        }
        assert_eq!(drawing.edges.len(), map.edges.len());
    }
}

#[test]
fn nothing_foreign_is_long_or_turns_a_text_around() {
    let map = map(11, 3);
    for name in ["x".repeat(100_000), "\u{202E}nimda\u{200B}\u{0}".repeat(900), "﷽".repeat(50), String::new()] {
        let drawing = drawing(&map, &name);
        for one in &drawing.boxes {
            assert!(one.name.chars().count() <= LETTERS + 1, "{}", one.name);
            assert!(!one.name.chars().chain(one.title.chars()).any(countersign_model::is_hidden), "{:?}", one.name);
            assert!(one.title.chars().count() < 400);
        }
        assert!(drawing.edges.iter().all(|edge| edge.title.chars().count() < 250));
        let frame = drawing.frame.unwrap();
        assert!(frame.name.chars().count() <= 61 && !frame.name.chars().any(countersign_model::is_hidden));
    }
}

#[test]
fn the_same_map_is_the_same_drawing() {
    let map = map(11, 25);
    assert_eq!(format!("{:?}", drawing(&map, "one")), format!("{:?}", drawing(&map, "one")));
    assert_eq!(thickness(0), 1);
    assert_eq!(thickness(u64::MAX), 6);
}
