//! Policies, whole configurations, and the backup.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use countersign_administrator::{Actor, Bundle as Estate, PolicyApproval, PolicyChange, PolicyReport, PublishError};
use countersign_model::{ProofResult, Source};
use futures_util::stream;
use http::header;
use tokio::io::AsyncReadExt;

use crate::Site;
use crate::console::role;
use crate::error::{Fault, Problem};
use crate::extract::Json;
use crate::guard::Caller;
use crate::wire::{Applied, Bundle, Guardrail, Policy, PolicySet, PolicySources, Published};

impl From<PublishError> for Fault {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::OtherWorld => Self::Internal(error.to_string()),
            PublishError::Stale | PublishError::NeedsApproval => Self::Conflict(error.to_string()),
            PublishError::NotProven(_) => Self::Unacceptable(error.to_string()),
            PublishError::Record(_) | PublishError::Keep(_) => Self::Unavailable,
        }
    }
}

/// The policies as they are in force now.
#[utoipa::path(get, path = "/api/v1/policies", tag = "policies", responses((status = 200, body = PolicySet),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn policies(State(site): State<Site>, _: Caller) -> axum::Json<PolicySet> {
    let set = site.administrator().policies();
    let policy = |policy: &countersign_administrator::PolicyInfo| Policy {
        id: policy.id.clone(),
        role: role(policy.role).to_owned(),
        mode: policy.mode.name().to_owned(),
        owner: policy.owner.clone(),
        review_by: policy.review_by,
        remedy: policy.remedy.clone(),
        relaxable: policy.relaxable.clone(),
        description: policy.description.clone(),
        hash: policy.hash.clone(),
        file: policy.file.display().to_string(),
        line: policy.line as u64,
        text: policy.text.clone(),
    };
    let result =
        |id: &countersign_model::PolicyId| set.proven().map_or(ProofResult::NotRun, |proofs| proofs.result(id));
    let guardrail = |guardrail: &countersign_administrator::Guardrail| Guardrail {
        id: guardrail.id.clone(),
        claim: guardrail.claim.name().to_owned(),
        description: guardrail.description.clone(),
        owner: guardrail.owner.clone(),
        text: guardrail.text.clone(),
        result: result(&guardrail.id).name().to_owned(),
    };
    axum::Json(PolicySet {
        hash: set.hash().to_owned(),
        policies: set.policies().iter().map(policy).collect(),
        warnings: set.warnings().iter().map(ToString::to_string).collect(),
        guardrails: set.guardrails().iter().map(guardrail).collect(),
        tried: set.proven().map(|proofs| proofs.at),
        solver: set.proven().and_then(|proofs| proofs.solver.clone()),
    })
}

/// The text of the policies and guardrails in force, as `PUT` takes it.
#[utoipa::path(get, path = "/api/v1/policies/files", tag = "policies", responses((status = 200, body = PolicySources),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn policy_files(State(site): State<Site>, _: Caller) -> axum::Json<PolicySources> {
    axum::Json(PolicySources { files: site.administrator().policy_sources().into_iter().collect(), dry_run: false })
}

/// Replaces the whole policy set, all at once, if it has no mistake. Every live lease is decided again.
#[utoipa::path(put, path = "/api/v1/policies", tag = "policies", request_body = PolicySources,
    responses((status = 200, body = Published), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn publish(
    State(site): State<Site>,
    caller: Caller,
    Json(body): Json<PolicySources>,
) -> Result<axum::Json<Published>, Fault> {
    let report = publish_kept(&site, &body.files, &caller.actor(), body.dry_run, None).await?;
    let PolicyReport { hash, mistakes, warnings, published, changes: _ } = report;
    Ok(axum::Json(Published { applied: published, hash, mistakes, warnings }))
}

/// Kept before it is published, and only once it is known to be good: a crash in between leaves it for the next start.
/// With `base`, only over that set.
pub(crate) async fn publish_kept(
    site: &Site,
    files: &BTreeMap<String, String>,
    actor: &Actor,
    dry_run: bool,
    base: Option<String>,
) -> Result<PolicyReport, Fault> {
    let administrator = site.administrator();
    let tried = administrator.try_sources(files);
    if !tried.mistakes.is_empty() {
        return Ok(tried);
    }
    // Before it is kept: the next start would refuse it too.
    let mistakes = administrator.prove_sources(files).await;
    if dry_run || !mistakes.is_empty() {
        return Ok(PolicyReport { mistakes, ..tried });
    }
    if administrator.settings().policy_approval == PolicyApproval::SecondPerson {
        return Err(PublishError::NeedsApproval.into());
    }
    keep(site, files).map_err(Fault::Internal)?;
    let published = administrator.publish_sources(files, actor, base).await;
    if published == Err(PublishError::Stale) {
        // What is in force is to be what is kept.
        keep(site, &administrator.policy_sources().into_iter().collect()).map_err(Fault::Internal)?;
    }
    Ok(published?)
}

pub(crate) fn keep(site: &Site, files: &BTreeMap<String, String>) -> Result<(), String> {
    site.settings().configure.as_ref().map_or(Ok(()), |configure| configure.keep_policies(files))
}

/// Makes the estate what a configuration says. Everything is checked before anything is changed.
#[utoipa::path(post, path = "/api/v1/apply", tag = "policies", request_body = Bundle,
    responses((status = 200, body = Applied), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn apply(
    State(site): State<Site>,
    caller: Caller,
    Json(body): Json<Bundle>,
) -> Result<axum::Json<Applied>, Fault> {
    let (administrator, actor) = (site.administrator(), caller.actor());
    let Bundle { segments, groups, subjects, resources, policies, settings, dry_run } = body;
    let (now, source) = (site.now(), Source::Configuration);
    let resources: Result<Vec<_>, _> = resources.into_iter().map(|(id, one)| one.resource(id, source)).collect();
    let estate = Estate {
        segments: segments.into_iter().map(|(id, one)| one.segment(id, source)).collect(),
        groups: groups.into_iter().map(|(id, one)| one.group(id, source)).collect(),
        subjects: subjects.into_iter().map(|(id, one)| one.subject(id, source, now)).collect(),
        resources: resources?,
    };
    let settings = match (settings, &site.settings().configure) {
        (Some(text), Some(configure)) => Some((text, configure)),
        (Some(_), None) => return Err(Fault::Unacceptable("this server takes no settings".to_owned())),
        (None, _) => None,
    };
    let alone = administrator.settings().policy_approval == PolicyApproval::None;
    // All of it is tried before any of it is done.
    let mut applied = Applied::default();
    if let Some((text, configure)) = &settings {
        match configure.settings(text, &actor.subject, true).await {
            Ok(changed) => applied.changed = changed,
            Err(mistakes) => applied.mistakes = mistakes,
        }
    }
    if let Some(files) = &policies {
        let report = publish_kept(&site, files, &actor, true, None).await?;
        // A trial says what would become of it: nothing.
        if !alone && report.mistakes.is_empty() && !report.changes.is_empty() {
            return Err(PublishError::NeedsApproval.into());
        }
        applied.mistakes.extend(report.mistakes);
        applied.warnings = report.warnings;
        for PolicyChange { id, before, after } in report.changes {
            let list = match (before, after) {
                (None, _) => &mut applied.created,
                (_, None) => &mut applied.removed,
                (Some(_), Some(_)) => &mut applied.changed,
            };
            list.push(format!("policy {id}"));
        }
    }
    let dry = dry_run || !applied.mistakes.is_empty();
    let report = administrator.apply(estate.clone(), &actor, true).await?;
    if !dry {
        administrator.apply(estate, &actor, false).await?;
        if let Some((text, configure)) = &settings {
            let put = configure.settings(text, &actor.subject, false).await;
            put.map_err(|reasons| Fault::Internal(reasons.join("; ")))?;
        }
        if let (Some(files), true) = (policies, alone) {
            publish_kept(&site, &files, &actor, false, None).await?;
        }
    }
    applied.created.extend(report.created);
    applied.changed.extend(report.changed);
    applied.removed.extend(report.removed);
    applied.unchanged = report.unchanged;
    applied.warnings.extend(report.warnings);
    applied.applied = !dry;
    Ok(axum::Json(applied))
}

/// A file that goes when it is no longer needed, whatever happens.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "a temporary backup could not be removed");
        }
    }
}

/// A consistent copy of the store, made while everything runs. It holds hashes of secrets and sealed keys: keep it as
/// you keep a key.
#[utoipa::path(post, path = "/api/v1/backup", tag = "policies",
    responses((status = 200, body = Vec<u8>, content_type = "application/vnd.sqlite3"),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn backup(State(site): State<Site>, caller: Caller) -> Result<Response, Fault> {
    const CHUNK: usize = 64 * 1024;
    // The decision that allowed it is unique, and so is the name; the store makes the file for its owner alone, and
    // refuses one that exists.
    let name = format!("countersign-backup-{}.sqlite", caller.arrival.decision);
    let temporary = Temporary(std::env::temp_dir().join(name));
    site.administrator().back_up(&temporary.0, &caller.actor()).await?;
    let broken = |error: io::Error| Fault::Internal(format!("the backup cannot be read: {error}"));
    let file = tokio::fs::File::open(&temporary.0).await.map_err(broken)?;
    let length = file.metadata().await.map_err(broken)?.len();
    let chunks = stream::try_unfold((file, temporary), |(mut file, temporary)| async move {
        let mut chunk = Vec::with_capacity(CHUNK);
        let read = (&mut file).take(CHUNK as u64).read_to_end(&mut chunk).await?;
        Ok::<_, io::Error>((read > 0).then_some((chunk, (file, temporary))))
    });
    let headers = [
        (header::CONTENT_TYPE, "application/vnd.sqlite3".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"countersign.sqlite\"".to_owned()),
    ];
    Ok((headers, Body::from_stream(chunks)).into_response())
}
