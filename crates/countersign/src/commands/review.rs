//! `review`: campaigns over access and policies; and `resource decommission`.

use countersign_administrator::{MOST_LINES, SystemClock};
use countersign_model::{Clock as _, ResourceId, ReviewId};
use serde_json::{Value, json};

use super::answer::{all, cell, csv, detail, done, encoded, query, show};
use super::files::span;
use crate::command_line::{Review, ReviewCampaign, ReviewDecision};
use crate::control::Control;
use crate::terminal::Terminal;

const REVIEWS: &str = "/api/v1/reviews";

fn of(id: &ReviewId) -> String {
    format!("{REVIEWS}/{}", encoded(id))
}

pub(super) async fn review(control: &Control, command: Review, terminal: &Terminal) -> anyhow::Result<()> {
    match command {
        Review::List => {
            let reviews = control.get(REVIEWS).await?;
            let columns = [
                ("review", "/id"),
                ("title", "/title"),
                ("about", "/about"),
                ("standing", "/standing"),
                ("lines", "/lines"),
                ("undecided", "/undecided"),
                ("left", "/left"),
            ];
            show(terminal, "reviews", reviews.as_array().map_or(&[], Vec::as_slice), &columns)
        }
        Review::Show { id } => detail(terminal, &control.get(&of(&id)).await?),
        Review::Lines { id, only, reviewer } => {
            let reviewer = reviewer.map(|reviewer| reviewer.to_string());
            let lines = lines(control, &id, &[("only", only), ("reviewer", reviewer)]).await?;
            let policies = lines.first().is_some_and(|line| cell(line, "/kind") == "policy");
            let what: &[(&str, &str)] = match policies {
                true => &[("policy", "/policy"), ("owner", "/owner"), ("changed", "/changes")],
                false => {
                    &[("subject", "/subject"), ("resource", "/resource"), ("may", "/classes"), ("through", "/through")]
                }
            };
            let rest =
                [("used", "/used"), ("last used", "/last_used"), ("reviewer", "/reviewers"), ("decided", "/decided")];
            let columns: Vec<(&str, &str)> =
                [("line", "/number")].into_iter().chain(what.iter().copied()).chain(rest).collect();
            show(terminal, "lines", &lines, &columns)
        }
        Review::Access(options) => {
            let scope = json!({
                "groups": options.groups, "kinds": options.kinds,
                "resources": options.resources, "segments": options.segments,
            });
            open(control, "access", scope, &options.campaign, terminal).await
        }
        Review::Policies(campaign) => open(control, "policies", json!({}), &campaign, terminal).await,
        Review::Keep(decision) => decide(control, "keep", &decision, terminal).await,
        Review::Revoke(decision) => decide(control, "revoke", &decision, terminal).await,
        Review::Close { id, why } => end(control, &id, "close", &why, terminal).await,
        Review::Withdraw { id, why } => end(control, &id, "withdraw", &why, terminal).await,
        Review::Export { id } => {
            let left = lines(control, &id, &[("only", Some("left".to_owned()))]).await?;
            if terminal.json {
                return terminal.json(&left);
            }
            let columns = ["source", "line", "subject", "resource", "through", "policy", "reason", "left"];
            csv(terminal, columns.iter().map(|name| (*name).to_owned()));
            for line in &left {
                let of = |name: &&str| cell(line, &format!("/{}", if *name == "line" { "number" } else { *name }));
                csv(terminal, columns.iter().map(of));
            }
            Ok(())
        }
    }
}

async fn lines(control: &Control, id: &ReviewId, pairs: &[(&str, Option<String>)]) -> anyhow::Result<Vec<Value>> {
    all(control, &format!("{}/lines{}", of(id), query(pairs)), MOST_LINES).await
}

async fn open(
    control: &Control,
    about: &str,
    scope: Value,
    campaign: &ReviewCampaign,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    let body = json!({
        "title": campaign.title, "about": about, "scope": scope,
        "deadline": SystemClock.now().plus(span(&campaign.within)?),
        "fallbacks": campaign.fallbacks, "days": campaign.days,
    });
    let answer = control.post(REVIEWS, &body).await?;
    let (id, lines, deadline) = (cell(&answer, "/id"), cell(&answer, "/lines"), cell(&answer, "/deadline"));
    done(terminal, &answer, format!("review {id} has {lines} lines, and is open until {deadline}"))
}

async fn decide(
    control: &Control,
    decision: &str,
    options: &ReviewDecision,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    let body = json!({ "lines": options.lines, "decision": decision, "reason": options.reason });
    let answer = control.post(&format!("{}/decisions", of(&options.id)), &body).await?;
    done(terminal, &answer, format!("{} lines of review {} are undecided", cell(&answer, "/undecided"), options.id))
}

async fn end(control: &Control, id: &ReviewId, how: &str, why: &str, terminal: &Terminal) -> anyhow::Result<()> {
    let answer = control.post(&format!("{}/end", of(id)), &json!({ "how": how, "why": why })).await?;
    done(terminal, &answer, format!("review {id} is {}", cell(&answer, "/standing")))
}

/// What else goes when a resource goes.
pub(super) async fn decommission(control: &Control, id: &ResourceId, terminal: &Terminal) -> anyhow::Result<()> {
    let plan = control.get(&format!("/api/v1/resources/{}/decommission", encoded(id))).await?;
    if terminal.json {
        return terminal.json(&plan);
    }
    let goes = plan.get("goes").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    show(terminal, "goes", goes, &[("what", "/kind"), ("name", "/name"), ("do", "/what"), ("why", "/why")])
}
