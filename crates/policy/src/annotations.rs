//! What `@id("…")` and its like say on one policy or one guardrail. Each mistake is reported where it stands; what an
//! annotation is needed for is the caller's to say.

use std::collections::BTreeMap;

use cedar_policy_core::ast;
use countersign_model::{Name, PolicyId, Timestamp};

use crate::diagnostics::{Diagnostic, Severity, Source};
use crate::set::Mode;

type Span = (usize, usize);

pub(crate) struct Annotations<'a> {
    source: &'a Source,
    /// The line that the policy begins with: for what is missing.
    head: Span,
    texts: BTreeMap<String, (String, Option<Span>)>,
    found: &'a mut Vec<Diagnostic>,
}

impl<'a> Annotations<'a> {
    /// `known` are the names that there are: any other is a mistake, since a misspelt one would be lost silently.
    pub(crate) fn read(
        policy: &ast::Policy,
        known: &[&str],
        source: &'a Source,
        head: Span,
        found: &'a mut Vec<Diagnostic>,
    ) -> Self {
        let mut annotations = Self { source, head, texts: BTreeMap::new(), found };
        for (key, annotation) in policy.annotations() {
            let key: &str = key.as_ref();
            let span = annotation.loc.as_ref().map(|loc| (loc.start(), loc.end().saturating_sub(loc.start())));
            if known.contains(&key) {
                annotations.texts.insert(key.to_owned(), (annotation.val.to_string(), span));
            } else {
                let known = known.iter().map(|name| format!("@{name}")).collect::<Vec<_>>().join(", ");
                let message = format!("@{key} is no annotation of Countersign");
                annotations.mistake(message, Some(&format!("there are {known}")), span);
            }
        }
        annotations
    }

    pub(crate) fn mistake(&mut self, message: String, help: Option<&str>, span: Option<Span>) {
        let span = span.unwrap_or(self.head);
        self.found.push(self.source.diagnostic(Severity::Error, message, help.map(ToOwned::to_owned), Some(span)));
    }

    pub(crate) fn text(&self, key: &str) -> Option<String> {
        self.texts.get(key).map(|(text, _)| text.clone())
    }

    /// The text of one that has to be there and to say something; a mistake otherwise.
    pub(crate) fn required(&mut self, key: &'static str, why: &str) -> Option<(String, Option<Span>)> {
        match self.texts.get(key).cloned() {
            Some((text, span)) if text.trim().is_empty() => {
                self.mistake(format!("@{key} is empty"), Some(why), span);
                None
            }
            Some(found) => Some(found),
            None => {
                self.mistake(format!("this policy has no @{key}"), Some(why), None);
                None
            }
        }
    }

    pub(crate) fn id(&mut self, why: &str) -> Option<PolicyId> {
        let (text, span) = self.required("id", why)?;
        PolicyId::new(text.as_str())
            .map_err(|error| self.mistake(format!("{text:?} cannot be an @id: {error}"), None, span))
            .ok()
    }

    pub(crate) fn owner(&mut self, why: &str) -> Option<String> {
        let (text, span) = self.required("owner", why)?;
        Name::new(text.as_str())
            .map(|name| name.to_string())
            .map_err(|error| self.mistake(format!("{text:?} cannot be an @owner: {error}"), None, span))
            .ok()
    }

    /// Without one it is enforced.
    pub(crate) fn mode(&mut self) -> Option<Mode> {
        let Some((text, span)) = self.texts.get("mode").cloned() else { return Some(Mode::Enforce) };
        let mode = Mode::ALL.into_iter().find(|mode| mode.name() == text);
        if mode.is_none() {
            let help = "@mode(\"observe\") records what the policy would do and enforces nothing; leave @mode out to enforce it";
            self.mistake(format!("{text:?} is no mode"), Some(help), span);
        }
        mode
    }

    /// Without one no exception relaxes the policy.
    pub(crate) fn relaxable(&mut self) -> Option<Option<String>> {
        if !self.texts.contains_key("relaxable") {
            return Some(None);
        }
        let why = "@relaxable(\"…\") tells whoever asks for an exception what has to stand in its place";
        self.required("relaxable", why).map(|(text, _)| Some(text))
    }

    pub(crate) fn review_by(&mut self, why: &str) -> Option<Timestamp> {
        let (text, span) = self.required("review_by", why)?;
        // Exactly a date: what else the parser of instants would take has no business here.
        let shaped = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let day = shaped.then(|| format!("{text}T00:00:00Z").parse::<Timestamp>().ok()).flatten();
        if day.is_none() {
            self.mistake(format!("{text:?} is no date"), Some("write @review_by(\"YYYY-MM-DD\")"), span);
        }
        day
    }
}
