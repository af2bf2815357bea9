//! The drawing of a map, as places and curves of an SVG: columns of boxes from what reaches to what is reached, the opened box as a frame
//! around what is in it. The same map is the same drawing. Nothing foreign is longer than its box, and nothing turns a text around.

use countersign_govern::{EstateMap, MapItem, MapWhat};
use countersign_model::visible;

use crate::words::count;

pub(crate) const WIDTH: i32 = 208;
pub(crate) const HEIGHT: i32 = 50;
/// Between two columns, where the curves and their counts are.
const GAP: i32 = 100;
const PITCH: i32 = 72;
const EDGE: i32 = 32;
/// Over the frame's content, for its name.
const HEAD: i32 = 44;
/// Letters that a box has room for, and boxes that a column has.
const LETTERS: usize = 23;
const ROWS: usize = 6;
const ROWS_INSIDE: usize = 8;
/// How many curves carry their count.
const COUNTED: usize = 24;

#[derive(Debug, Default)]
pub(crate) struct Drawing {
    pub(crate) width: i32,
    pub(crate) height: i32,
    pub(crate) frame: Option<Frame>,
    pub(crate) boxes: Vec<DrawnBox>,
    pub(crate) edges: Vec<DrawnEdge>,
}

#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) x: i32,
    pub(crate) y: i32,
    pub(crate) width: i32,
    pub(crate) height: i32,
    pub(crate) name: String,
}

#[derive(Debug)]
pub(crate) struct DrawnBox {
    pub(crate) x: i32,
    pub(crate) y: i32,
    pub(crate) url: String,
    pub(crate) class: &'static str,
    pub(crate) name: String,
    pub(crate) below: String,
    pub(crate) title: String,
}

#[derive(Debug)]
pub(crate) struct DrawnEdge {
    pub(crate) curve: String,
    /// Where its evidence is; none for what was observed.
    pub(crate) url: Option<String>,
    pub(crate) class: &'static str,
    pub(crate) tip: &'static str,
    pub(crate) thickness: i32,
    pub(crate) title: String,
    pub(crate) count: Option<(i32, i32, String)>,
}

/// As much of a text as a box has room for, with nothing in it that hides or turns it around.
pub(super) fn short(text: &str, letters: usize) -> String {
    let shown: String = text.chars().take(letters).map(visible).collect();
    if text.chars().nth(letters).is_some() { format!("{}…", shown.trim_end()) } else { shown }
}

pub(super) fn draw(
    map: &EstateMap,
    names: &[String],
    item_url: &dyn Fn(&MapItem) -> String,
    edges_url: &dyn Fn(&MapItem, &MapItem) -> String,
) -> Drawing {
    let columns = columns(map);
    let most = columns.iter().map(|column| column.places.len()).max().unwrap_or(0);
    let framed = columns.iter().any(|column| column.inside);
    let top = EDGE + if framed { HEAD } else { 0 };
    let at = |number: usize| EDGE + i32::try_from(number).unwrap_or(0) * (WIDTH + GAP);
    let rows = |rows: usize| i32::try_from(rows).unwrap_or(0) * PITCH;
    // By item: column, and the upper left corner.
    let mut corners = vec![(0usize, 0i32, 0i32); map.items.len()];
    let mut boxes = Vec::new();
    for (number, column) in columns.iter().enumerate() {
        let (x, down) = (at(number), (rows(most) - rows(column.places.len())) / 2);
        for (row, place) in column.places.iter().enumerate() {
            let Some(item) = map.items.get(*place) else { continue };
            let y = top + down + rows(row);
            if let Some(corner) = corners.get_mut(*place) {
                *corner = (number, x, y);
            }
            boxes.push(drawn_box(item, names.get(*place).map_or("", String::as_str), (x, y), item_url(item)));
        }
    }
    let frame = frame(map, &columns, at, top + rows(most));
    let named = |place: usize| names.get(place).map_or("", String::as_str);
    let mut edges = Vec::new();
    for (rank, edge) in map.edges.iter().enumerate() {
        let ends = (corners.get(edge.from), corners.get(edge.to));
        let (Some(from), Some(to)) = ends else { continue };
        let Some((one, other)) = map.items.get(edge.from).zip(map.items.get(edge.to)) else { continue };
        let (curve, middle) = curve(*from, *to);
        let way = edge.ways > 0;
        let on = if way { format!(", {} on a way to tier zero", count(&edge.ways)) } else { String::new() };
        edges.push(DrawnEdge {
            curve,
            url: Some(edges_url(one, other)),
            class: if way { "way" } else { "plain" },
            tip: if way { "tip-way" } else { "tip" },
            thickness: thickness(edge.edges),
            title: format!(
                "{} to {}: {} edges{on}",
                short(named(edge.from), 60),
                short(named(edge.to), 60),
                count(&edge.edges)
            ),
            count: (rank < COUNTED).then(|| (middle.0, middle.1, count(&edge.edges))),
        });
    }
    for flow in &map.flows {
        let (Some(from), Some(to)) = (corners.get(flow.from), corners.get(flow.to)) else { continue };
        edges.push(DrawnEdge {
            curve: curve((from.0, from.1, from.2 + 14), (to.0, to.1, to.2 + 14)).0,
            url: None,
            class: "flow",
            tip: "tip-flow",
            thickness: thickness(flow.count),
            title: format!(
                "{} to {}: {} accesses observed",
                short(named(flow.from), 60),
                short(named(flow.to), 60),
                count(&flow.count)
            ),
            count: None,
        });
    }
    // The most dangerous is drawn last, over the others.
    edges.reverse();
    let last = i32::try_from(columns.len().max(1)).unwrap_or(1);
    Drawing {
        width: 2 * EDGE + last * WIDTH + (last - 1) * GAP + GAP / 2,
        height: top + rows(most) - (PITCH - HEIGHT) + EDGE,
        frame,
        boxes,
        edges,
    }
}

/// Boxes under each other.
struct Column {
    inside: bool,
    /// Places in the list of items.
    places: Vec<usize>,
}

/// From left to right: what reaches more than it is reached comes first.
fn columns(map: &EstateMap) -> Vec<Column> {
    let mut out = vec![0i128; map.items.len()];
    let mut all = vec![1i128; map.items.len()];
    for edge in &map.edges {
        for (place, sign) in [(edge.from, 1), (edge.to, -1)] {
            if let (Some(out), Some(all)) = (out.get_mut(place), all.get_mut(place)) {
                *out += sign * i128::from(edge.edges);
                *all += i128::from(edge.edges);
            }
        }
    }
    // In thousandths, so that it is the same on every machine.
    let score = |place: &usize| {
        let (out, all) = (out.get(*place).copied().unwrap_or(0), all.get(*place).copied().unwrap_or(1));
        std::cmp::Reverse(out * 1000 / all)
    };
    let (mut inner, mut outer): (Vec<usize>, Vec<usize>) =
        (0..map.items.len()).partition(|place| map.items.get(*place).is_some_and(|item| item.inside));
    inner.sort_by_key(score);
    outer.sort_by_key(score);
    let mut columns = Vec::new();
    if map.open.is_some() {
        let right = outer.split_off(outer.len().div_ceil(2));
        columns.push(Column { inside: false, places: outer });
        columns.extend(even(&inner, ROWS_INSIDE, 3, true));
        columns.push(Column { inside: false, places: right });
    } else {
        columns.extend(even(&outer, ROWS, 4, false));
    }
    columns.retain(|column| !column.places.is_empty());
    straighten(map, &mut columns);
    columns
}

/// In columns of about the same length.
fn even(places: &[usize], rows: usize, most: usize, inside: bool) -> impl Iterator<Item = Column> {
    // Two or three stand beside each other: what leads from one to the next is seen best so.
    let wanted = places.len().div_ceil(rows).max(places.len().min(3)).clamp(1, most);
    let length = places.len().div_ceil(wanted).max(1);
    places.chunks(length).map(move |places| Column { inside, places: places.to_vec() })
}

/// Puts each box about as high as what it has to do with in the column before, so that fewer curves cross.
fn straighten(map: &EstateMap, columns: &mut [Column]) {
    let mut heights = vec![0i64; map.items.len()];
    let mut before: Vec<usize> = Vec::new();
    for column in columns {
        for (row, place) in before.iter().enumerate() {
            if let Some(height) = heights.get_mut(*place) {
                *height = i64::try_from(row).unwrap_or(0) * 1000;
            }
        }
        let wanted = |place: &usize| {
            let (mut sum, mut number) = (0, 0);
            for edge in &map.edges {
                let other = if edge.from == *place {
                    edge.to
                } else if edge.to == *place {
                    edge.from
                } else {
                    continue;
                };
                if before.contains(&other) {
                    sum += heights.get(other).copied().unwrap_or(0);
                    number += 1;
                }
            }
            // What has nothing to do with it stays below.
            if number == 0 { i64::MAX } else { sum / number }
        };
        column.places.sort_by_key(wanted);
        before.clone_from(&column.places);
    }
}

fn frame(map: &EstateMap, columns: &[Column], at: impl Fn(usize) -> i32, bottom: i32) -> Option<Frame> {
    let open = map.open.as_ref()?;
    let first = columns.iter().position(|column| column.inside)?;
    let last = columns.iter().rposition(|column| column.inside)?;
    let label = open.label.as_deref().unwrap_or(&open.id);
    let name = match &open.within_label {
        Some(within) => format!("{}, {}", short(label, 40), short(within, 20)),
        None => short(label, 60),
    };
    let x = at(first) - 18;
    Some(Frame {
        x,
        y: EDGE / 2,
        width: at(last) + WIDTH + 18 - x,
        height: bottom - EDGE / 2 - (PITCH - HEIGHT) + 16,
        name,
    })
}

fn drawn_box(item: &MapItem, name: &str, (x, y): (i32, i32), url: String) -> DrawnBox {
    let zero = match item.tier_zero {
        0 => String::new(),
        number => format!(", {} tier zero", count(&number)),
    };
    let below = match &item.node {
        Some(node) if node.tier_zero => format!("{}, tier zero", node.kind),
        Some(node) => match item.steps {
            Some(1) => format!("{}, 1 step away", node.kind),
            Some(steps) => format!("{}, {steps} steps away", node.kind),
            None => node.kind.clone(),
        },
        None => format!("{}{zero}", count(&item.nodes)),
    };
    let class = match item.what {
        MapWhat::Rest | MapWhat::Siblings => "rest",
        _ if item.tier_zero > 0 => "zero",
        _ if item.leads > 0 => "leads",
        _ => "quiet",
    };
    let title = match item.what {
        MapWhat::Node => short(name, 120),
        _ => format!(
            "{}: {} nodes, {} identities{zero}, {} with a way to tier zero",
            short(name, 120),
            count(&item.nodes),
            count(&item.identities),
            count(&item.leads)
        ),
    };
    DrawnBox { x, y, url, class, name: short(name, LETTERS), below, title }
}

/// Thicker by one for every ten times as many.
fn thickness(edges: u64) -> i32 {
    1 + i32::try_from(edges.checked_ilog10().unwrap_or(0)).unwrap_or(0).min(5)
}

/// From the side of one box to the side of another, and where its count stands. What goes back goes a little lower.
fn curve(from: (usize, i32, i32), to: (usize, i32, i32)) -> (String, (i32, i32)) {
    let half = HEIGHT / 2;
    let (x1, x2, bend, down) = match from.0.cmp(&to.0) {
        std::cmp::Ordering::Less => (from.1 + WIDTH, to.1 - 3, 1, half - 8),
        std::cmp::Ordering::Greater => (from.1, to.1 + WIDTH + 3, -1, half + 8),
        std::cmp::Ordering::Equal => (from.1 + WIDTH, to.1 + WIDTH + 3, 1, half),
    };
    let (y1, y2) = (from.2 + down, to.2 + down);
    let same = from.0 == to.0;
    let pull = if same { GAP / 2 } else { ((x2 - x1).abs() / 2).min(GAP) } * bend;
    let (c1, c2) = (x1 + pull, if same { x2 + pull } else { x2 - pull });
    let path = format!("M{x1} {y1}C{c1} {y1} {c2} {y2} {x2} {y2}");
    // A curve over several columns goes behind boxes: its count stands in the first gap.
    let t = if from.0.abs_diff(to.0) > 1 { 0.14 } else { 0.5 };
    let on = |p0: i32, p1: i32, p2: i32, p3: i32| {
        let (p0, p1, p2, p3, u) = (f64::from(p0), f64::from(p1), f64::from(p2), f64::from(p3), 1.0 - t);
        (u * u * u * p0 + 3.0 * u * u * t * p1 + 3.0 * u * t * t * p2 + t * t * t * p3).round() as i32
    };
    (path, (on(x1, c1, c2, x2), on(y1, y1, y2, y2) + 4))
}

#[cfg(test)]
mod tests;
