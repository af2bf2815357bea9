//! A drawing as SVG inside the page: its colours are those of the style sheet, so that the dark has its own.

use super::markup::Page;
use crate::drawing::{Anchor, Drawing, Paint, Shape};

/// Without an alternative the words stand beside it, and it is nothing of its own to whoever does not see it.
pub(super) fn draw(page: &mut Page, drawing: &Drawing, alternative: Option<&str>) {
    page.raw("<svg viewBox=\"0 0 ").number(drawing.width).raw(" ").number(drawing.height).raw("\" width=\"");
    page.number(drawing.width).raw("\" height=\"").number(drawing.height);
    match alternative {
        Some(alternative) => page.raw("\" role=\"img\"><title>").text(alternative).raw("</title>"),
        None => page.raw("\" aria-hidden=\"true\" focusable=\"false\">"),
    };
    drawing.shapes.iter().for_each(|shape| self::shape(page, shape));
    page.raw("</svg>\n");
}

fn shape(page: &mut Page, shape: &Shape) {
    match shape {
        Shape::Rectangle { x, y, width, height, radius, paint } => {
            page.raw("<rect x=\"").number(*x).raw("\" y=\"").number(*y).raw("\" width=\"").number(*width);
            page.raw("\" height=\"").number(*height).raw("\" rx=\"").number(*radius);
            fill(page, *paint);
        }
        Shape::Line { from, to, width, dashed, paint } => {
            page.raw("<line x1=\"").number(from.0).raw("\" y1=\"").number(from.1);
            page.raw("\" x2=\"").number(to.0).raw("\" y2=\"").number(to.1);
            if *dashed {
                page.raw("\" stroke-dasharray=\"2 3");
            }
            stroke(page, *width, *paint);
        }
        Shape::Curve { points, width, paint } => {
            page.raw("<polyline fill=\"none\" points=\"");
            coordinates(page, points);
            stroke(page, *width, *paint);
        }
        Shape::Area { points, paint } => {
            page.raw("<polygon points=\"");
            coordinates(page, points);
            fill(page, *paint);
        }
        Shape::Disc { at, radius, paint } => {
            page.raw("<circle cx=\"").number(at.0).raw("\" cy=\"").number(at.1).raw("\" r=\"").number(*radius);
            fill(page, *paint);
        }
        Shape::Ring { at, radius, width, paint } => {
            page.raw("<circle fill=\"none\" cx=\"")
                .number(at.0)
                .raw("\" cy=\"")
                .number(at.1)
                .raw("\" r=\"")
                .number(*radius);
            stroke(page, *width, *paint);
        }
        Shape::Label { at, size, anchor, strong, paint, text } => {
            page.raw("<text x=\"").number(at.0).raw("\" y=\"").number(at.1).raw("\" font-size=\"").number(*size);
            page.raw(match anchor {
                Anchor::Start => "",
                Anchor::Middle => "\" text-anchor=\"middle",
                Anchor::End => "\" text-anchor=\"end",
            });
            page.raw(if *strong { "\" font-weight=\"650" } else { "" });
            page.raw("\" class=\"f-").text(paint.name()).raw("\">").text(text).raw("</text>");
        }
    }
}

fn coordinates(page: &mut Page, points: &[(f32, f32)]) {
    for (x, y) in points {
        page.number(*x).raw(",").number(*y).raw(" ");
    }
}

fn fill(page: &mut Page, paint: Paint) {
    page.raw("\" class=\"f-").text(paint.name()).raw("\"/>");
}

fn stroke(page: &mut Page, width: f32, paint: Paint) {
    page.raw("\" stroke-width=\"").number(width).raw("\" class=\"s-").text(paint.name()).raw("\"/>");
}
