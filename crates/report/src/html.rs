//! A document as one page that needs nothing else: no script, no outside request, styles inside. It reads on a phone, in the
//! dark, with a keyboard, with a screen reader, and on paper.
//!
//! INVARIANT: markup is `'static`. Whatever is not goes through [`Page::text`], which leaves nothing that a browser would
//! read as markup; and a policy in the page's head forbids scripts, requests and styles that are not this style sheet.

mod markup;
mod svg;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use crate::document::{Block, Callout, Cell, Chart, Document, Figure, Item, Section, Span, Table, Text, Tone};
use crate::text::{date, instant};
use markup::Page;

const STYLE: &str = include_str!("html/style.css");

/// The page.
pub(crate) fn render(document: &Document) -> String {
    let mut page = Page::default();
    head(&mut page, document);
    page.raw("<body>\n<a class=\"skip\" href=\"#start\">To the report</a>\n");
    banner(&mut page, document);
    page.raw("<div class=\"frame\">\n<nav aria-label=\"Contents\"><ol>\n");
    for section in &document.sections {
        page.raw("<li><a href=\"#").text(section.id).raw("\">").text(&section.title).raw("</a></li>\n");
    }
    page.raw("</ol></nav>\n<main id=\"start\">\n");
    for section in &document.sections {
        self::section(&mut page, section);
    }
    page.raw("</main>\n</div>\n<footer><p>").text(&document.foot).raw("</p></footer>\n</body>\n</html>\n");
    page.finish()
}

fn head(page: &mut Page, document: &Document) {
    let style = BASE64_STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    page.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-");
    page.text(&style).raw("'\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.raw("<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n");
    page.raw("<meta name=\"generator\" content=\"Countersign ").text(env!("CARGO_PKG_VERSION")).raw("\">\n<title>");
    page.text(&document.title);
    if let Some(organisation) = &document.organisation {
        page.raw(": ").text(&crate::text::name(organisation));
    }
    page.raw("</title>\n<style>").raw(STYLE).raw("</style>\n</head>\n");
}

fn banner(page: &mut Page, document: &Document) {
    page.raw("<header class=\"banner\">\n<svg class=\"logo\" viewBox=\"0 0 32 32\" aria-hidden=\"true\"><rect width=\"32\" height=\"32\" rx=\"8\"/><path d=\"M21.6 11.2a7 7 0 1 0 0 9.6\"/><path d=\"m13.2 16.2 2.6 2.6 7.4-7.4\"/></svg>\n<div><h1>");
    page.text(&document.title).raw("</h1>\n<p class=\"whose\">");
    if let Some(organisation) = &document.organisation {
        page.raw("<bdi>").text(&crate::text::name(organisation)).raw("</bdi> · ");
    }
    page.raw("<time datetime=\"").text(&document.as_of.to_string()).raw("\" title=\"").text(&instant(document.as_of));
    page.raw("\">").text(&date(document.as_of)).raw("</time></p>\n<p class=\"subtitle\">").text(&document.subtitle);
    page.raw("</p></div>\n</header>\n");
}

fn section(page: &mut Page, section: &Section) {
    page.raw("<section id=\"").text(section.id).raw("\" aria-labelledby=\"h-").text(section.id).raw("\">\n<h2 id=\"h-");
    page.text(section.id).raw("\">").text(&section.title).raw("</h2>\n");
    for block in &section.blocks {
        self::block(page, block, 3);
    }
    page.raw("</section>\n");
}

fn block(page: &mut Page, block: &Block, level: u8) {
    match block {
        Block::Heading(title) if level <= 3 => drop(page.raw("<h3>").text(title).raw("</h3>\n")),
        Block::Heading(title) => drop(page.raw("<h4>").text(title).raw("</h4>\n")),
        Block::Text(text) => wrapped(page, "<p>", text, "</p>\n"),
        Block::Note(text) => wrapped(page, "<p class=\"note\">", text, "</p>\n"),
        Block::Figures(all) => {
            page.raw("<dl class=\"figures\">\n");
            all.iter().for_each(|one| figure(page, one));
            page.raw("</dl>\n");
        }
        Block::Table(table) => self::table(page, table),
        Block::Chart(chart) => self::chart(page, chart),
        Block::Steps(items) => {
            page.raw("<ol class=\"steps\">\n");
            items.iter().for_each(|item| step(page, item));
            page.raw("</ol>\n");
        }
        Block::List(items) => {
            page.raw("<ul>\n");
            items.iter().for_each(|item| wrapped(page, "<li>", item, "</li>\n"));
            page.raw("</ul>\n");
        }
        Block::Callout(callout) => self::callout(page, callout),
        Block::Folded(title, blocks) => {
            page.raw("<details>\n<summary>").text(title).raw("</summary>\n");
            blocks.iter().for_each(|inner| self::block(page, inner, level + 1));
            page.raw("</details>\n");
        }
    }
}

fn wrapped(page: &mut Page, before: &'static str, text: &Text, after: &'static str) {
    page.raw(before);
    words(page, text);
    page.raw(after);
}

fn words(page: &mut Page, text: &Text) {
    for span in &text.0 {
        let (before, after) = match span {
            Span::Plain(_) => ("", ""),
            Span::Strong(_) => ("<strong>", "</strong>"),
            // Isolated: a name that runs from right to left must not move what stands beside it.
            Span::Name(_) => ("<bdi>", "</bdi>"),
            Span::Code(_) => ("<code dir=\"ltr\">", "</code>"),
            Span::Faint(_) => ("<small>", "</small>"),
        };
        page.raw(before).text(span.text()).raw(after);
    }
}

fn figure(page: &mut Page, figure: &Figure) {
    page.raw("<div><dt>").text(&figure.label).raw("</dt><dd><span class=\"value\">").text(&figure.value).raw("</span>");
    if let Some(drawing) = &figure.drawing {
        svg::draw(page, drawing, None);
    }
    if !figure.note.is_empty() {
        wrapped(page, "<span class=\"note\">", &figure.note, "</span>");
    }
    page.raw("</dd></div>\n");
}

fn step(page: &mut Page, item: &Item) {
    wrapped(page, "<li><p class=\"what\">", &item.title, "</p>");
    item.lines.iter().for_each(|line| wrapped(page, "<p>", line, "</p>"));
    page.raw("</li>\n");
}

fn callout(page: &mut Page, callout: &Callout) {
    page.raw(match callout.tone {
        Tone::Good => "<div class=\"callout good\">",
        Tone::Warn => "<div class=\"callout warn\">",
        Tone::Bad => "<div class=\"callout bad\">",
        Tone::Plain => "<div class=\"callout\">",
    });
    page.raw("<h3>").text(&callout.title).raw("</h3>");
    callout.text.iter().for_each(|text| wrapped(page, "<p>", text, "</p>"));
    page.raw("</div>\n");
}

fn chart(page: &mut Page, chart: &Chart) {
    page.raw("<figure>\n<figcaption>").text(&chart.title).raw("</figcaption>\n");
    // Wider than a phone: it is scrolled there, with the keyboard as well.
    page.raw("<div class=\"wide\" tabindex=\"0\" role=\"group\" aria-label=\"").text(&chart.title).raw("\">\n");
    svg::draw(page, &chart.drawing, Some(&chart.alternative));
    page.raw("</div>\n");
    if let Some(figures) = &chart.figures {
        page.raw("<details><summary>The figures of this chart</summary>\n");
        table(page, figures);
        page.raw("</details>\n");
    }
    page.raw("</figure>\n");
}

fn table(page: &mut Page, table: &Table) {
    page.raw("<table>\n<caption>").text(&table.caption).raw("</caption>\n<thead><tr>");
    for column in &table.columns {
        page.raw(if column.number { "<th scope=\"col\" class=\"number\">" } else { "<th scope=\"col\">" });
        page.text(column.title).raw("</th>");
    }
    page.raw("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        page.raw(if row.group { "<tr class=\"group\">" } else { "<tr>" });
        for (place, (cell, column)) in row.cells.iter().zip(&table.columns).enumerate() {
            // The first cell of a row says what the row is of.
            let (start, class, end) = match (place, column.number) {
                (0, _) => ("<th scope=\"row\"", "", "</th>"),
                (_, true) => ("<td", " class=\"number\"", "</td>"),
                (_, false) => ("<td", "", "</td>"),
            };
            page.raw(start).raw(class).raw(" data-label=\"").text(column.title).raw("\">");
            match cell {
                Cell::Text(text) => words(page, text),
                Cell::Drawn(drawing, text) => {
                    page.raw("<span class=\"drawn\">");
                    svg::draw(page, drawing, None);
                    wrapped(page, "<span>", text, "</span></span>");
                }
            }
            page.raw(end);
        }
        page.raw("</tr>\n");
    }
    page.raw("</tbody>\n</table>\n");
}
