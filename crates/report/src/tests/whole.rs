//! The whole report: what stands in it and in which order, on the page and on paper.

use std::fmt::Write as _;

use lopdf::{Dictionary, Document as File, Object};

use super::estate::Estate;
use crate::document::{Block, Document};
use crate::drawing::Paint;
use crate::{compose, html, pdf};

/// The blocks by kind, without their figures: what a change of the report shows in review.
fn outline(document: &Document) -> String {
    let mut text = String::new();
    for section in &document.sections {
        let _ = writeln!(text, "# {} ({})", section.title, section.id);
        section.blocks.iter().for_each(|block| tell(block, 1, &mut text));
    }
    text
}

fn tell(block: &Block, depth: usize, text: &mut String) {
    let said = match block {
        Block::Heading(title) => format!("heading: {title}"),
        Block::Text(_) => "text".to_owned(),
        Block::Note(_) => "note".to_owned(),
        Block::Figures(figures) => {
            format!("figures: {}", figures.iter().map(|figure| figure.label.as_str()).collect::<Vec<_>>().join(", "))
        }
        Block::Table(table) => {
            format!("table: {}", table.columns.iter().map(|column| column.title).collect::<Vec<_>>().join(", "))
        }
        Block::Chart(chart) => format!("chart: {}", chart.title),
        Block::Steps(_) => "steps".to_owned(),
        Block::List(_) => "list".to_owned(),
        Block::Callout(callout) => format!("callout: {}", callout.title),
        Block::Folded(title, _) => format!("folded: {title}"),
    };
    let _ = writeln!(text, "{}{said}", "  ".repeat(depth));
    if let Block::Folded(_, blocks) = block {
        blocks.iter().for_each(|inner| tell(inner, depth + 1, text));
    }
}

#[test]
fn what_stands_where() {
    let estate = Estate::new();
    let before = estate.before();
    insta::assert_snapshot!(outline(&compose::document(&estate.content(Some(&before)))));
}

#[test]
fn a_page_is_whole_and_each_link_leads_somewhere() {
    let page = html(&Estate::new().content(None));
    assert!(page.contains("Example &amp; Sons") && page.contains("&lt;B&gt;EN&lt;/B&gt;") && !page.contains("<B>"));
    for part in page.split("href=\"#").skip(1) {
        let anchor = part.split('"').next().unwrap();
        assert!(page.contains(&format!("id=\"{anchor}\"")), "{anchor}");
    }
    for (open, close) in
        [("<section", "</section>"), ("<table", "</table>"), ("<svg", "</svg>"), ("<details", "</details>")]
    {
        assert_eq!(page.matches(open).count(), page.matches(close).count(), "{open}");
    }
    // What is drawn is said: by an alternative of its own, or by the words beside it.
    for svg in page.split("<svg").skip(1) {
        let head = svg.split('>').next().unwrap();
        assert!(head.contains("role=\"img\"") && svg.contains("<title>") || head.contains("aria-hidden=\"true\""));
    }
}

#[test]
fn a_pdf_has_title_language_outline_tags_and_the_summary_on_its_first_page() {
    let estate = Estate::new();
    let bytes = pdf(&estate.content(Some(&estate.before()))).unwrap();
    let file = File::load_mem(&bytes).unwrap();
    let get = |dictionary: &Dictionary, key: &[u8]| -> Dictionary {
        let (_, object) = file.dereference(dictionary.get(key).unwrap()).unwrap();
        object.as_dict().unwrap().clone()
    };
    let information = get(&file.trailer, b"Info");
    let Object::String(title, _) = information.get(b"Title").unwrap() else { panic!("a title is a text") };
    assert_eq!(String::from_utf8_lossy(title), "Zero Trust report: Example & Sons");
    let catalog = file.catalog().unwrap();
    assert!(catalog.has(b"Lang") && catalog.has(b"StructTreeRoot") && get(catalog, b"Outlines").has(b"First"));
    let pages = file.get_pages();
    let words = |page: u32| file.extract_text(&[page]).unwrap();
    let first = words(1);
    for heading in ["Summary", "Where we stand", "The weakest link", "The three next steps", "What is not known"] {
        assert!(first.contains(heading), "{heading}: {first}");
    }
    assert!(words(2).contains("Gap map"));
    for page in pages.keys() {
        assert!(words(*page).contains(&format!("Page {page} of {}", pages.len())));
    }
}

#[test]
fn page_and_paper_have_the_same_colours() {
    let style = include_str!("../html/style.css");
    for paint in [
        Paint::Ink,
        Paint::Soft,
        Paint::Faint,
        Paint::Line,
        Paint::Track,
        Paint::Ground,
        Paint::Accent,
        Paint::AccentSoft,
        Paint::Good,
        Paint::Warn,
        Paint::Bad,
    ] {
        let (red, green, blue) = paint.on_paper();
        let name = paint.name();
        let line = format!("--{name}: #{red:02x}{green:02x}{blue:02x};");
        assert!(style.contains(&line), "{line}");
        assert!(style.contains(&format!(".f-{name} {{")) && style.contains(&format!(".s-{name} {{")), "{name}");
    }
}

#[test]
fn numbers_never_round_to_all_or_nothing() {
    use crate::text::{decimal, percents};
    assert_eq!([99.99, 0.001, 100.0, 0.0, 41.25, 1234.0].map(decimal), ["99.9", "0.1", "100", "0", "41.3", "1,234"]);
    assert_eq!(percents(41.0, 41.0), "41 %");
    assert_eq!(percents(0.0, 99.999), "0 to 99.9 %");
}
