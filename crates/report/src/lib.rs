//! What was assessed, for readers: one self-contained page ([`html`]), a PDF ([`pdf`]), and an evidence pack that a third party
//! verifies ([`Pack`]). Pure: it is given an assessment and returns bytes; it judges nothing and opens nothing.
//!
//! What is said is composed once, in blocks (`compose`, `document`), and shown twice; so are the drawings. Names come from files
//! of strangers: they are text wherever they stand, and never anything else.

mod compose;
mod document;
mod drawing;
mod html;
mod pack;
mod pdf;
mod portfolio;
mod text;

use countersign_assess::{Assessment, Snapshot};
use countersign_estate::FileRead;

pub use pack::{Pack, PackFault, SourceFile, Verified, Wrong, snapshot, verify};
pub use pdf::PdfFault;
pub use portfolio::{Earlier, Portfolio, Refused, Risk, Standing};

/// What a report is made of.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    pub assessment: &'a Assessment,
    /// The files that the estate was made from.
    pub files: &'a [FileRead],
    /// The last one, which this one is compared with.
    pub before: Option<&'a Snapshot>,
    /// Earlier ones, in any order.
    pub trend: &'a [Snapshot],
}

/// One page that needs nothing else.
pub fn html(report: &Content<'_>) -> String {
    html::render(&compose::document(report))
}

/// The same as a PDF.
///
/// # Errors
/// When the file cannot be written.
pub fn pdf(report: &Content<'_>) -> Result<Vec<u8>, PdfFault> {
    pdf::render(&compose::document(report))
}

#[cfg(test)]
mod tests;
