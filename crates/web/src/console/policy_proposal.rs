//! A policy set that waits for a second person: what it changes, whom it touches, and the two ways out.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use countersign_administrator::Proposal;

use super::policy_form::Change;
use super::seen::{Seen, see};
use crate::Site;
use crate::api::control::keep;
use crate::error::{Fault, PageFault};
use crate::extract::PagePath;
use crate::guard::Caller;
use crate::page::{Done, Shell, done, html};

const PLACE: &str = "/console/policies";

#[derive(Template)]
#[template(path = "console/policy_proposal.html")]
struct ProposalPage {
    shell: Shell,
    one: Proposal,
    changes: Vec<Change>,
    seen: Seen,
    /// Other policies are in force by now.
    stale: bool,
    /// Whoever looks at it proposed it.
    own: bool,
    /// Or cannot approve it for another reason.
    other: Option<String>,
}

pub(super) async fn show(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<String>,
) -> Result<Response, PageFault> {
    let administrator = site.administrator();
    let all = administrator.proposals().await?;
    let one = all.into_iter().find(|proposal| proposal.id == id).ok_or(Fault::Absent)?;
    let report = administrator.try_sources(&one.files);
    Ok(html(&ProposalPage {
        shell: Shell::new(&caller, PLACE, site.now(), None),
        changes: report.changes.into_iter().map(Change::new).collect(),
        seen: see(&site, one.files.clone()).await?,
        stale: administrator.policies().hash() != one.base,
        own: one.by == caller.principal.subject,
        other: administrator.is_second_person(&one, &caller.principal.subject).err().map(|why| why.to_string()),
        one,
    }))
}

pub(super) async fn approve(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<String>,
) -> Result<Response, PageFault> {
    site.administrator().approve(&id, &caller.actor(), |files| keep(&site, files)).await?;
    Ok(done(PLACE, Done::PoliciesPublished))
}

pub(super) async fn reject(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<String>,
) -> Result<Response, PageFault> {
    site.administrator().reject(&id, &caller.actor()).await?;
    Ok(done(PLACE, Done::ProposalGone))
}
