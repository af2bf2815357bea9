//! A change of policies in a browser: the guardrails beside the policies, who would lose what before anything is in force,
//! and the second person who enforces it.

use thirtyfour::prelude::*;

use crate::browser::Browser;
use crate::house::House;
use crate::until;

/// Few, so that the solver is quick on a busy machine.
const POLICIES: &str = r#"
@id("owners-use-everything") @owner("security") @review_by("2099-12-31")
permit (principal in Group::"owners", action, resource);

@id("the-machine-administers") @owner("security") @review_by("2099-12-31")
permit (principal == Service::"local-operator", action, resource);

@id("the-way-in-is-open") @owner("security") @review_by("2099-12-31")
permit (principal, action, resource) when { resource.kind == "countersign" && resource.tier == "public" };

@id("payroll-takes-a-passkey") @owner("finance") @review_by("2099-12-31") @remedy("Use your passkey.")
forbid (principal is Human, action, resource == Resource::"payroll")
unless { context has authentication && context.authentication.phishing_resistant };
"#;

/// One that the policies keep, and one that they do not: the owner uses the wiki too.
const GUARDRAILS: &str = r#"
@id("payroll-wants-a-passkey") @owner("finance") @review_by("2099-12-31") @description("Nobody opens payroll without a passkey.")
forbid (principal is Human, action, resource == Resource::"payroll")
unless { context has authentication && context.authentication.phishing_resistant };

@id("the-wiki-is-for-staff") @owner("security") @review_by("2099-12-31") @description("Only staff opens the wiki.")
forbid (principal is Human, action, resource == Resource::"wiki") unless { principal in Group::"staff" };
"#;

const CLOSED: &str = r#"@id("wiki-is-closed") @owner("security") @review_by("2099-12-31") @remedy("After the audit.")
forbid (principal, action, resource == Resource::"wiki");"#;

impl Browser {
    /// What the row that begins with this name says.
    async fn row(&self, name: &str) -> String {
        let script = format!(
            "return [...document.querySelectorAll('table.rows tbody tr')]\
             .find(row => row.querySelector('th')?.innerText === {name:?})?.innerText"
        );
        until(name, async || self.script(&script).await.as_str().map(str::to_owned)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guardrails_stand_beside_the_policies_with_what_became_of_them() {
    let house =
        House::furnished("localhost", "", &[("own.cedar", POLICIES), ("guardrails/own.cedar", GUARDRAILS)]).await;
    let owner = house.owner().await;
    // They are tried while the policies are in force already; the page is asked for again until it is done.
    until("what the solver says", async || {
        owner.go(&house.control("/console/policies")).await;
        owner.page().await.contains("by cvc5 ").then_some(())
    })
    .await;
    owner.see("What has to hold for every possible request.").await;
    let held = owner.row("payroll-wants-a-passkey").await;
    assert!(held.contains("proven") && held.contains("Nobody opens payroll without a passkey."), "{held}");
    let broken = owner.row("the-wiki-is-for-staff").await;
    assert!(broken.contains("failed") && broken.contains("never-allowed"), "{broken}");
    let built_in = owner.row("policies-never-error").await;
    assert!(built_in.contains("No policy fails on any possible request"), "{built_in}");
    owner.picture("guardrails").await;
    owner.click(By::XPath("//tr[th='the-wiki-is-for-staff']//summary".to_owned())).await;
    owner.see("unless { principal in Group::\"staff\" }").await;
    owner.was_quiet(house.domain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_proposes_policies_and_another_enforces_them() {
    let house = House::furnished("localhost", "[decisions]\npolicy_approval = \"second-person\"\n", &[]).await;
    let owner = house.owner().await;
    let bea = house.person("human:bea", "owners").await;
    owner.go(&house.at("wiki", "/board")).await;
    owner.see("You are human:owner, at /board").await;
    until("the WebSocket", async || (owner.words("#socket").await == "open").then_some(())).await;
    let (wiki, console) = owner.new_tab().await;

    // What it would have changed, and what becomes of whoever is here, before anybody decides.
    owner.go(&house.control("/console/policies")).await;
    owner.press("Edit policies").await;
    owner.fill("Its name", "closed.cedar").await;
    owner.fill("Policies in it", CLOSED).await;
    owner.press("Show what would change").await;
    for words in ["What it would have changed", "newly denied", "wiki-is-closed forbids", "would be cut at once"] {
        owner.see(words).await;
    }
    owner.picture("policy-preview").await;
    owner.press("Propose").await;
    owner.see("They wait for somebody else to approve them.").await;
    owner.picture("policy-proposed").await;

    // Whoever proposed it does not enforce it, and nothing is cut by a proposal.
    owner.press("human:owner").await;
    owner.see("You proposed it: somebody else has to approve it.").await;
    let buttons =
        owner.script("return [...document.querySelectorAll('main button')].map(it => it.innerText).join()").await;
    assert!(!buttons.as_str().unwrap().contains("Enforce"), "{buttons}");
    owner.back_to(wiki.clone()).await;
    assert_eq!(owner.words("#socket").await, "open");

    bea.go(&house.control("/console/policies")).await;
    bea.press("human:owner").await;
    for words in ["Proposed policies", "wiki-is-closed", "newly denied", "would be cut at once"] {
        bea.see(words).await;
    }
    bea.picture("policy-proposal").await;
    bea.press("Enforce").await;
    bea.see("The policies are in force. Every open connection was decided again.").await;
    until("the end of the WebSocket", async || owner.words("#socket").await.starts_with("closed").then_some(())).await;
    owner.go(&house.at("wiki", "/board")).await;
    owner.see("After the audit.").await;
    owner.back_to(console).await;

    // Both are on record.
    until("the record", async || {
        let ledger = house.run(&["ledger", "show", "0", "--limit", "100000"]);
        let told = |who: &str, what: &str| ledger.lines().any(|line| line.contains(who) && line.contains(what));
        (told("human:owner", "policy.propose") && told("human:bea", "policy.approve")).then_some(())
    })
    .await;
    bea.was_quiet(house.domain).await;
    owner.was_quiet(house.domain).await;
}
