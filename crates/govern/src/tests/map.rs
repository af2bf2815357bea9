//! The map: everything is in exactly one box, what is left out is counted, ways to tier zero are those of the graph, the same estate is the
//! same map, and an estate of any size gives a map of bounded size.

use super::*;
use crate::{By, EstateMap, Flow, MapItem, MapWhat, MapWish, NotOnMap};

/// So many accounts of a domain; the first controls the last, which is of tier zero.
fn domain(number: usize) -> String {
    let users: Vec<String> = (0..number)
        .map(|user| {
            let aces = if user + 1 == number {
                r#"[{"PrincipalSID":"S-1-5-21-9-9-9-1000","PrincipalType":"User","RightName":"GenericAll","IsInherited":false}]"#
            } else {
                "[]"
            };
            format!(
                r#"{{"ObjectIdentifier":"S-1-5-21-9-9-9-{}","PrimaryGroupSID":"S-1-5-21-9-9-9-513","Aces":{aces},
                  "Properties":{{"domain":"BIG.EXAMPLE","name":"U{user:06}@BIG.EXAMPLE","enabled":true,"highvalue":{}}}}}"#,
                1000 + user,
                user + 1 == number
            )
        })
        .collect();
    format!(r#"{{"data":[{}],"meta":{{"methods":7,"type":"users","count":{number},"version":6}}}}"#, users.join(","))
}

impl Stage {
    async fn map(&self, wish: MapWish) -> Result<EstateMap, NotOnMap> {
        self.estate.settled().await;
        self.estate.ask(move |standing| standing.map(&wish, &[])).await.unwrap()
    }
}

fn by(by: By) -> MapWish {
    MapWish { by: Some(by), ..MapWish::default() }
}

fn nodes(map: &EstateMap) -> u64 {
    map.items.iter().map(|item| item.nodes).sum()
}

fn find<'m>(map: &'m EstateMap, id: &str) -> (usize, &'m MapItem) {
    let found = map.items.iter().enumerate().find(|(_, item)| item.id == id);
    found.unwrap_or_else(|| panic!("{id} is not in {map:#?}"))
}

#[tokio::test]
async fn everything_is_in_one_box_and_ways_are_told() {
    let stage = Stage::new();
    stage.import(&[("users.json", USERS), ("groups.json", GROUPS)]).await.unwrap();
    let whole = stage.map(MapWish::default()).await.unwrap();
    let all = stage.estate.status().nodes as u64;
    for one in By::ALL {
        let map = stage.map(by(one)).await.unwrap();
        assert_eq!(nodes(&map), all, "{one:?}");
        assert_eq!(map, stage.map(by(one)).await.unwrap(), "the same estate is the same map");
        let edges = map.edges.iter().map(|edge| edge.edges).sum::<u64>() + map.inner_edges + map.more_edges;
        let told = whole.edges.iter().map(|edge| edge.edges).sum::<u64>() + whole.inner_edges + whole.more_edges;
        assert_eq!(edges, told, "{one:?}: an edge is between two boxes or within one");
    }

    // Ann controls Ben, who is a member of what is of tier zero.
    let map = stage.map(by(By::Tier)).await.unwrap();
    let (zero, item) = find(&map, "tier:tier zero");
    let (rest, others) = find(&map, "tier");
    assert!(item.tier_zero == item.nodes && item.steps == Some(0), "{item:?}");
    assert!(others.leads > 0 && others.steps == Some(1) && others.tier_zero == 0, "{others:?}");
    let way = map.edges.iter().find(|edge| (edge.from, edge.to) == (rest, zero)).unwrap();
    assert!(way.ways > 0, "{map:#?}");
    let wish = by(By::Tier);
    let edges = stage.estate.ask(move |standing| standing.map_edges(&wish, "tier", "tier:tier zero", 0, 1)).await;
    let edges = edges.unwrap().unwrap();
    assert_eq!((edges.total, edges.ways, edges.lines.len()), (way.edges, way.ways, 1));
    assert!(edges.lines[0].on_a_way && !edges.lines[0].edge.evidence.is_empty());

    // A small box opens into its nodes, each of them with its key.
    let opened = stage.map(MapWish { open: Some("tier:tier zero".to_owned()), ..by(By::Tier) }).await.unwrap();
    assert!(opened.items.iter().any(|item| item.id == format!("node:{ADMINS}") && item.what == MapWhat::Node));
    assert_eq!(nodes(&opened), all);
    for missing in ["tier:none", "kind:group", "", "tier zero", "node:x"] {
        let wish = MapWish { open: Some(missing.to_owned()), ..by(By::Tier) };
        assert_eq!(stage.map(wish).await, Err(NotOnMap(missing.to_owned())));
    }
}

#[tokio::test]
async fn a_map_is_bounded_and_counts_what_it_leaves_out() {
    let stage = Stage::new();
    stage.import(&[("users.json", &domain(1000))]).await.unwrap();
    let all = stage.estate.status().nodes as u64;
    let map = stage.map(MapWish::default()).await.unwrap();
    assert_eq!(map.by, By::Kind, "one source alone is one box");
    let (_, accounts) = find(&map, "kind:account");
    assert_eq!((accounts.nodes, accounts.identities, accounts.tier_zero, accounts.leads), (1000, 1000, 1, 1));

    let open = MapWish { open: Some("kind:account".to_owned()), ..MapWish::default() };
    let opened = stage.map(open.clone()).await.unwrap();
    assert!(opened.items.len() < 64 && nodes(&opened) == all, "{}", opened.items.len());
    assert_eq!((opened.listed, opened.next), (1000, Some(24)));
    // The most dangerous comes first, and then who gets there.
    let shown: Vec<&str> = opened.items.iter().filter(|item| item.inside).map(|item| item.id.as_str()).collect();
    assert_eq!(shown[..2], ["node:sid:S-1-5-21-9-9-9-1999", "node:sid:S-1-5-21-9-9-9-1000"]);
    let (_, rest) = find(&opened, "rest-inside");
    assert_eq!(rest.nodes, 1000 - 24);

    // The list goes on to its end, and shows each once.
    let (mut skip, mut seen) = (0, std::collections::BTreeSet::new());
    loop {
        let page = stage.map(MapWish { skip, ..open.clone() }).await.unwrap();
        let there = page.items.into_iter().filter(|item| item.what == MapWhat::Node);
        for item in there {
            assert!(seen.insert(item.id.clone()), "{} twice", item.id);
        }
        match page.next {
            Some(next) => skip = usize::try_from(next).unwrap(),
            None => break,
        }
    }
    assert_eq!(seen.len(), 1000);
    let beyond = stage.map(MapWish { skip: usize::MAX, ..open }).await.unwrap();
    assert_eq!((beyond.next, nodes(&beyond)), (None, all));
}

#[tokio::test]
async fn what_was_observed_is_between_the_boxes_of_its_ends() {
    let stage = Stage::new();
    stage.wanted(Wanted { own: true, ..Wanted::default() }).await.unwrap();
    stage.estate.settled().await;
    let flow = |subject: &str, implicit| Flow {
        subject: subject.parse().unwrap(),
        resource: countersign_model::ResourceId::new("wiki").unwrap(),
        count: 3,
        last: Timestamp::from_seconds(9),
        implicit,
    };
    let flows = vec![flow("human:alice", None), flow("human:nobody", Some("no policy"))];
    let map = stage.estate.ask(move |standing| standing.map(&by(By::Kind), &flows)).await.unwrap().unwrap();
    assert_eq!((map.flows.len(), map.unplaced_flows), (0, 6), "neither is in this estate");
}
