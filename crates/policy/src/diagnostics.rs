//! Mistakes in policy files, all of them, each with its file, its line and a caret. For people as text, for programmes
//! by field.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};

use crate::guardrail::GUARDRAILS;

/// A policy file as read: whoever calls has done the reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    pub path: PathBuf,
    pub text: String,
}

impl SourceFile {
    /// Whether it stands in the folder of guardrails.
    pub fn is_of_guardrails(&self) -> bool {
        self.path.parent().and_then(Path::file_name).is_some_and(|folder| folder == GUARDRAILS)
    }

    /// As seen from the policy directory: `tiers.cedar`, `guardrails/tiers.cedar`.
    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy();
        if self.is_of_guardrails() { format!("{GUARDRAILS}/{name}") } else { name.into_owned() }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// The set loads all the same.
    Warning,
    /// The set does not load.
    Error,
}

/// One mistake, or one warning.
#[derive(Clone)]
pub struct Diagnostic {
    pub severity: Severity,
    pub message: String,
    pub help: Option<String>,
    pub file: PathBuf,
    /// From 1; 0 for a mistake of the whole file.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The marked bytes of the file: where they begin and how many there are.
    pub span: (usize, usize),
    source: Arc<NamedSource<Arc<str>>>,
}

/// Every mistake of every file. Never empty where it is an error.
#[derive(Clone, Debug, thiserror::Error)]
pub struct Diagnostics {
    pub(crate) all: Vec<Diagnostic>,
}

impl Diagnostics {
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.all.iter()
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

/// A file's text and name, shared by its diagnostics.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) text: Arc<str>,
    named: Arc<NamedSource<Arc<str>>>,
}

impl Source {
    pub(crate) fn new(path: &Path, text: &str) -> Self {
        let text = Arc::<str>::from(text);
        let named = Arc::new(NamedSource::new(path.display().to_string(), Arc::clone(&text)));
        Self { path: path.to_owned(), text, named }
    }

    pub(crate) fn line(&self, offset: usize) -> usize {
        self.text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
    }

    /// `span` may come from anywhere: it is cut to what there is.
    pub(crate) fn diagnostic(
        &self,
        severity: Severity,
        message: impl Into<String>,
        help: Option<String>,
        span: Option<(usize, usize)>,
    ) -> Diagnostic {
        let (mut start, length) = span.unwrap_or_default();
        start = start.min(self.text.len());
        while !self.text.is_char_boundary(start) {
            start -= 1;
        }
        let mut end = start.saturating_add(length).min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        let before = self.text.get(..start).unwrap_or_default();
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        Diagnostic {
            severity,
            message: message.into(),
            help,
            file: self.path.clone(),
            line: if span.is_some() { self.line(start) } else { 0 },
            column,
            span: (start, end - start),
            source: Arc::clone(&self.named),
        }
    }

    /// What Cedar found, at the places that it marked.
    pub(crate) fn cedars(&self, severity: Severity, found: &dyn miette::Diagnostic) -> Diagnostic {
        let label = found.labels().and_then(|mut labels| labels.next());
        let mut message = found.to_string();
        // Cedar names the policy in front of a message, which the caret shows better, and the action at its end, which
        // makes four messages of one mistake.
        if let Some((_, rest)) = message.strip_prefix("for policy `").and_then(|rest| rest.split_once("`, ")) {
            message = rest.to_owned();
        }
        if let Some((rest, _)) = message.split_once(" for Action::") {
            message = rest.to_owned();
        }
        let help = match (found.help(), label.as_ref().and_then(LabeledSpan::label)) {
            (Some(help), _) => Some(help.to_string()),
            (None, label) => label.filter(|label| !label.is_empty()).map(ToOwned::to_owned),
        };
        self.diagnostic(severity, message, help, label.map(|label| (label.offset(), label.len())))
    }
}

impl fmt::Debug for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file.display(), self.line, self.column, self.message)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let theme = GraphicalTheme::unicode_nocolor();
        GraphicalReportHandler::new_themed(theme).with_width(110).with_links(false).render_report(f, &Rendered(self))
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.all.iter().try_for_each(|diagnostic| diagnostic.fmt(f))
    }
}

/// A diagnostic as the renderer takes it: its message is its text, where [`Diagnostic`]'s own text is the whole report.
struct Rendered<'a>(&'a Diagnostic);

impl fmt::Debug for Rendered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Rendered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Rendered<'_> {}

impl miette::Diagnostic for Rendered<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.0.severity {
            Severity::Warning => miette::Severity::Warning,
            Severity::Error => miette::Severity::Error,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.0.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.0.source.as_ref())
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(LabeledSpan::underline(self.0.span))))
    }
}
