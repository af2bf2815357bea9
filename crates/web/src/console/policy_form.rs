//! Publishing policies from the console: edit the text, see what is wrong with it or what it changes, put it in force.
//! Nothing is kept between the steps: each page carries the whole text, and each step judges it anew. The operator's
//! policy files are not written, and count again once one of them is changed; the pages say so.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use countersign_administrator::{PolicyApproval, PolicyChange};
use http::StatusCode;

use super::seen::{Seen, see};
use crate::Site;
use crate::api::control::publish_kept;
use crate::error::{Fault, PageFault};
use crate::extract::Form;
use crate::guard::Caller;
use crate::page::{Done, Shell, done, html};

const PLACE: &str = "/console/policies";

/// The whole set as text, and the set in force that it was made from.
#[derive(Debug, Clone)]
struct Draft {
    base: String,
    files: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "console/policy_edit.html")]
struct EditPage {
    shell: Shell,
    /// Rendered with file, line and a caret.
    mistakes: Vec<String>,
    notice: Option<&'static str>,
    draft: Draft,
}

#[derive(Template)]
#[template(path = "console/policy_review.html")]
struct ReviewPage {
    shell: Shell,
    warnings: Vec<String>,
    changes: Vec<Change>,
    seen: Seen,
    /// Whether it takes a second person.
    second: bool,
    draft: Draft,
}

/// One policy that would be another than it is.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) id: String,
    pub(super) word: crate::words::Sign,
    /// Lines that go, then lines that come, each with its sign; around them what stays.
    pub(super) lines: Vec<(&'static str, String)>,
}

impl Draft {
    fn current(site: &Site) -> Self {
        let administrator = site.administrator();
        Self { base: administrator.policies().hash().to_owned(), files: administrator.policy_sources() }
    }

    /// The form's fields in their order: `base`, then a `file` and its `text` for each. An empty text takes the file
    /// away; a text without a name would be lost, so that is a mistake.
    fn read(fields: Vec<(String, String)>) -> Result<Self, Fault> {
        let malformed = |what: &str| Fault::Malformed(format!("the form is not one of ours: {what}"));
        let mut draft = Self { base: String::new(), files: Vec::new() };
        let mut named: Option<String> = None;
        for (field, value) in fields {
            match (field.as_str(), named.take()) {
                ("base", None) if draft.base.is_empty() => draft.base = value,
                ("file", None) => named = Some(value.trim().to_owned()),
                ("text", Some(name)) => {
                    // A browser sends every line's end as CR LF.
                    let text = value.replace("\r\n", "\n");
                    if name.is_empty() && !text.trim().is_empty() {
                        return Err(Fault::Unacceptable("name the file of the new policies".to_owned()));
                    }
                    if draft.files.iter().any(|(other, _)| *other == name) {
                        return Err(Fault::Unacceptable(format!("two files are called {name}")));
                    }
                    if !text.trim().is_empty() {
                        draft.files.push((name, text));
                    }
                }
                _ => return Err(malformed(&field)),
            }
        }
        if named.is_some() || draft.base.is_empty() { Err(malformed("a field is missing")) } else { Ok(draft) }
    }

    fn sources(&self) -> BTreeMap<String, String> {
        self.files.iter().cloned().collect()
    }
}

impl Change {
    pub(super) fn new(PolicyChange { id, before, after }: PolicyChange) -> Self {
        let word = match (&before, &after) {
            (None, _) => crate::words::sign("good", "new"),
            (_, None) => crate::words::sign("bad", "removed"),
            (Some(_), Some(_)) => crate::words::sign("warn", "changed"),
        };
        let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
        Self { id: id.to_string(), word, lines: lines(&before, &after) }
    }
}

/// What stays at the beginning and at the end, and between them what goes and what comes. A policy is short: finding the
/// fewest changed lines would tell no more.
fn lines(before: &str, after: &str) -> Vec<(&'static str, String)> {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let head = old.iter().zip(&new).take_while(|(one, other)| one == other).count();
    let (old_rest, new_rest) = (old.iter().skip(head), new.iter().skip(head));
    let tail = old_rest.rev().zip(new_rest.rev()).take_while(|(one, other)| one == other).count();
    let part = |lines: &[&str], sign: &'static str, from: usize, to: usize| {
        let part = lines.iter().take(to).skip(from);
        part.map(|line| (sign, (*line).to_owned())).collect::<Vec<_>>()
    };
    let mut all = part(&old, " ", 0, head);
    all.extend(part(&old, "-", head, old.len() - tail));
    all.extend(part(&new, "+", head, new.len() - tail));
    all.extend(part(&old, " ", old.len() - tail, old.len()));
    all
}

fn edit_page(
    site: &Site,
    caller: &Caller,
    draft: Draft,
    mistakes: Vec<String>,
    notice: Option<&'static str>,
) -> Response {
    html(&EditPage { shell: Shell::new(caller, PLACE, site.now(), None), mistakes, notice, draft })
}

pub(super) async fn edit(State(site): State<Site>, caller: Caller) -> Response {
    edit_page(&site, &caller, Draft::current(&site), Vec::new(), None)
}

/// Back from the review, with the text as it is.
pub(super) async fn edit_again(
    State(site): State<Site>,
    caller: Caller,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, PageFault> {
    Ok(edit_page(&site, &caller, Draft::read(fields)?, Vec::new(), None))
}

pub(super) async fn review(
    State(site): State<Site>,
    caller: Caller,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, PageFault> {
    let draft = Draft::read(fields)?;
    let report = publish_kept(&site, &draft.sources(), &caller.actor(), true, None).await?;
    if !report.mistakes.is_empty() {
        let page = edit_page(&site, &caller, draft, report.mistakes, None);
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    if report.changes.is_empty() {
        let notice = Some("No policy is different from what is in force.");
        return Ok(edit_page(&site, &caller, draft, Vec::new(), notice));
    }
    Ok(html(&ReviewPage {
        shell: Shell::new(&caller, PLACE, site.now(), None),
        warnings: report.warnings,
        changes: report.changes.into_iter().map(Change::new).collect(),
        seen: see(&site, draft.sources()).await?,
        second: site.administrator().settings().policy_approval == PolicyApproval::SecondPerson,
        draft,
    }))
}

/// Where other policies are in force by now, what was shown was compared with others than these would replace.
fn overtaken(site: &Site, caller: &Caller, draft: Draft) -> Response {
    let current = site.administrator().policies().hash().to_owned();
    let notice = Some("Other policies were put in force meanwhile. Look again at what would change.");
    let page = edit_page(site, caller, Draft { base: current, ..draft }, Vec::new(), notice);
    (StatusCode::CONFLICT, page).into_response()
}

pub(super) async fn publish(
    State(site): State<Site>,
    caller: Caller,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, PageFault> {
    let draft = Draft::read(fields)?;
    if draft.base != site.administrator().policies().hash() {
        return Ok(overtaken(&site, &caller, draft));
    }
    let base = Some(draft.base.clone());
    let report = publish_kept(&site, &draft.sources(), &caller.actor(), false, base).await?;
    if report.published {
        return Ok(done(PLACE, Done::PoliciesPublished));
    }
    let page = edit_page(&site, &caller, draft, report.mistakes, None);
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

pub(super) async fn propose(
    State(site): State<Site>,
    caller: Caller,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, PageFault> {
    let draft = Draft::read(fields)?;
    if draft.base != site.administrator().policies().hash() {
        return Ok(overtaken(&site, &caller, draft));
    }
    let (report, proposal) = site.administrator().propose(draft.sources(), "", &caller.actor()).await?;
    if proposal.is_some() {
        return Ok(done(PLACE, Done::PoliciesProposed));
    }
    let page = edit_page(&site, &caller, draft, report.mistakes, None);
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn a_change_is_shown_between_what_stays() {
        let check = |before: &str, after: &str, expect: &str| {
            let shown: Vec<String> = lines(before, after).iter().map(|(sign, line)| format!("{sign}{line}")).collect();
            assert_eq!(shown.join("|"), expect);
        };
        check("a\nb\nc", "a\nx\ny\nc", " a|-b|+x|+y| c");
        check("", "a\nb", "+a|+b");
        check("a", "", "-a");
        check("a\na", "a", " a|-a");
        check("a", "a\na", " a|+a");
    }
}
