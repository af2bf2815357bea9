//! A document as a PDF: A4, with an outline, page numbers, metadata, and tags by which a screen reader reads it (PDF/UA-1, checked
//! while it is written). Text is text: it can be selected, searched and copied. The font, Noto Sans, is embedded and covers
//! Latin, Greek and Cyrillic; a character that it has not got is written as its code point, and the last page says so.
//!
//! In two steps: `flow` lays the blocks out on sheets, `paint` writes the sheets; the number of pages is known in between.

mod face;
mod flow;
mod lines;
mod paint;
mod sheet;
mod table;

use crate::document::Document;

/// Why there is no PDF.
#[derive(Debug, thiserror::Error)]
pub enum PdfFault {
    #[error("the font of the PDF cannot be read")]
    Font,
    #[error("the PDF could not be written: {0}")]
    Writing(String),
}

/// The file.
pub(crate) fn render(document: &Document) -> Result<Vec<u8>, PdfFault> {
    let faces = face::Faces::new()?;
    let laid = flow::lay(document, &faces);
    paint::write(document, laid, &faces)
}

/// The text as it will stand there, for tests: characters that the font has not got as code points.
#[cfg(test)]
pub(crate) fn shown(text: &str) -> Result<String, PdfFault> {
    Ok(face::Faces::new()?.shown(text))
}
