//! What people do with it, from the first link to the last navigation.

use serde_json::Value;
use thirtyfour::prelude::*;

use crate::browser::Browser;
use crate::house::House;
use crate::until;

impl Browser {
    /// The application's page is here, at this place, with its WebSocket ticking.
    async fn uses_application(&self, place: &str) {
        assert_eq!(self.words("#place").await, place);
        let first: u64 = self.words("#ticks").await.parse().unwrap();
        until("the next tick", async || (self.words("#ticks").await.parse::<u64>().unwrap() > first).then_some(()))
            .await;
        assert_eq!(self.words("#socket").await, "open");
    }

    /// The page's WebSocket has been closed, by no act of the page.
    async fn is_cut_off(&self) {
        let how = until("the end of the WebSocket", async || {
            Some(self.words("#socket").await).filter(|state| state.starts_with("closed"))
        })
        .await;
        assert!(["closed 1008", "closed 1006"].contains(&how.as_str()), "{how}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_enrols_and_opens_applications_each_with_the_proof_that_it_needs() {
    let house = House::open("localhost").await;
    let owner = house.browser().await;
    owner.go(house.owner_link()).await;
    owner.see("Make a passkey on this device").await;
    assert!(!owner.url().await.contains('#'), "the invitation's secret stays in the address");
    owner.picture("invitation").await;
    owner.press("Make my passkey").await;
    owner.arrive(&house.control("/")).await;
    owner.see("Open to you").await;
    for application in ["wiki", "payroll", "blog"] {
        owner.see(application).await;
    }
    owner.see("Not open at the moment").await;
    owner.picture("applications").await;

    // The link has worked once.
    let stranger = house.browser().await;
    stranger.go(house.owner_link()).await;
    stranger.press("Make my passkey").await;
    until("a refusal", async || (!stranger.words("[data-status]").await.starts_with("Follow")).then_some(())).await;
    assert!(stranger.url().await.starts_with(&house.control("/invite")));
    // And who has no passkey does not get in by asking.
    stranger.go(&house.at("wiki", "/")).await;
    stranger.sign_in().await;
    stranger.see("Nothing was confirmed").await;
    stranger.picture("sign-in").await;
    // Nobody finds out what is there by knocking: where nothing is, they are asked to sign in too.
    for place in ["vault", "nowhere"] {
        stranger.go(&house.at(place, "/")).await;
        stranger.waits_at_sign_in().await;
    }
    stranger.go(&house.at("blog", "/.countersign/sign-in?return=//evil.example/")).await;
    stranger.waits_at_sign_in().await;
    stranger.go(&house.at("blog", "/")).await;
    stranger.see("You are anonymous, at /").await;
    stranger.was_quiet(house.domain).await;

    // Not signed in at the application's own host: through sign-in and back to the very place, without a click, because
    // the session at the control host is there.
    let place = "/team/page?q=a%20b&x=%2F#part";
    let wiki = house.at("wiki", place);
    owner.go(&wiki).await;
    owner.uses_application("/team/page?q=a%20b&x=%2F").await;
    owner.see("You are human:owner").await;
    let cookies = owner.cookies().await;
    let names: Vec<&str> = cookies.iter().map(|cookie| cookie.name.as_str()).collect();
    assert_eq!(names, ["__Host-countersign"], "one cookie of ours, and the nonce is gone");
    let cookie = serde_json::to_value(&cookies[0]).unwrap();
    assert_eq!(
        (&cookie["httpOnly"], &cookie["secure"], &cookie["sameSite"]),
        (&true.into(), &true.into(), &"Lax".into())
    );
    assert_eq!(cookie["path"], "/");
    assert_eq!(owner.script("return document.cookie").await, Value::String(String::new()));

    // Public: it asks nobody to sign in at its host.
    owner.go(&house.at("blog", "/")).await;
    owner.see("You are anonymous, at /").await;
    // Whoever wants to be known there says so, and is; or comes from the portal.
    owner.go(&house.at("blog", "/.countersign/sign-in?return=/news?a=b")).await;
    owner.arrive(&house.at("blog", "/news?a=b")).await;
    owner.see("You are human:owner, at /news?a=b").await;
    owner.go(&house.control("/")).await;
    owner.press("Open blog").await;
    owner.see("You are human:owner, at /").await;

    // A crown jewel: no proof that a browser could give now opens it, and the page says in plain words what would.
    owner.go(&house.at("vault", "/secrets")).await;
    owner.see("You do not have access").await;
    owner.see("What you can do").await;
    owner.see("Use a device that your organisation manages and whose security settings pass.").await;
    assert_eq!(owner.page().await.matches("manage").count(), 1, "each thing once");
    owner.picture("denied").await;
    owner.press("Go to your applications").await;
    owner.see("Not open at the moment").await;

    let (first, open) = owner.new_tab().await;
    owner.go(&wiki).await;
    owner.uses_application("/team/page?q=a%20b&x=%2F").await;
    owner.back_to(first.clone()).await;

    // The proof grows old: payroll asks for a fresh one, and then opens at the place that was asked for.
    let payroll = house.at("payroll", "/slips?month=11");
    until("the step-up", async || {
        owner.go(&payroll).await;
        owner.page().await.contains("Confirm that it is you").then_some(())
    })
    .await;
    assert!(owner.url().await.starts_with(&house.control("/sign-in?")), "{}", owner.url().await);
    owner.picture("step-up").await;
    owner.press("Confirm with your passkey").await;
    owner.arrive(&payroll).await;
    owner.uses_application("/slips?month=11").await;
    // What was open in the other tab goes on, and its page's own requests pass as before.
    owner.back_to(open).await;
    owner.script("fetch('/').then((answer) => { document.body.dataset.status = answer.status })").await;
    until("the answer to the other tab", async || {
        (owner.script("return document.body.dataset.status").await == "200").then_some(())
    })
    .await;
    assert_eq!(owner.words("#socket").await, "open");
    owner.back_to(first).await;
    // And nobody has to do anything for it to end when that proof is too old in its turn.
    owner.is_cut_off().await;
    owner.was_quiet(house.domain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_open_ends_with_the_session_or_with_a_fact() {
    let house = House::open("localhost").await;
    let owner = house.owner().await;
    let bea = house.person("human:bea", "staff").await;
    let wiki = house.at("wiki", "/board");

    // Killed by the owner, by clicking.
    bea.go(&wiki).await;
    bea.uses_application("/board").await;
    owner.go(&house.control("/console")).await;
    owner.see("What is happening").await;
    owner.picture("console").await;
    owner.press("Sessions").await;
    owner.press("human:bea").await;
    owner.see("Open connections").await;
    owner.see("wiki").await;
    owner.picture("session").await;
    owner.press("End the session").await;
    owner.press("End it now").await;
    owner.see("The session has ended").await;
    bea.is_cut_off().await;
    bea.go(&wiki).await;
    bea.waits_at_sign_in().await;
    bea.sign_in().await;
    bea.arrive(&wiki).await;
    bea.uses_application("/board").await;

    // Leaves the group that may: the same session, but not this application any more.
    house.run(&["subject", "add", "human:bea", "--group", "visitors"]);
    bea.is_cut_off().await;
    bea.go(&wiki).await;
    bea.see("You do not have access").await;
    house.run(&["subject", "add", "human:bea", "--group", "staff"]);
    bea.go(&wiki).await;
    bea.uses_application("/board").await;

    // Disabled on her page in the console: cut, and signed out.
    owner.go(&house.control("/console/subjects")).await;
    owner.press("human:bea").await;
    owner.press("Disable").await;
    owner.press("Disable the subject").await;
    owner.see("The subject is disabled").await;
    bea.is_cut_off().await;
    bea.go(&wiki).await;
    bea.waits_at_sign_in().await;
    bea.was_quiet(house.domain).await;
    owner.was_quiet(house.domain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_policy_ends_what_it_no_longer_allows() {
    let house = House::open("localhost").await;
    let owner = house.owner().await;
    owner.go(&house.at("wiki", "/board")).await;
    owner.uses_application("/board").await;
    house.add_policy(
        "closed",
        r#"@id("wiki-is-closed") @owner("security") @review_by("2099-12-31") @remedy("Come back when the audit is over.")
           forbid (principal, action, resource == Resource::"wiki");"#,
    );
    owner.is_cut_off().await;
    owner.go(&house.at("wiki", "/board")).await;
    owner.see("Come back when the audit is over.").await;
    owner.was_quiet(house.domain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_shows_each_decision_as_it_is_made_and_proves_it() {
    let house = House::open("localhost").await;
    let owner = house.owner().await;
    owner.go(&house.control("/console/decisions")).await;
    owner.see("Live").await;

    // With the keyboard alone: the first stop is the way past the navigation.
    owner.key(Key::Tab).await;
    let stop = owner.script("return document.activeElement.innerText").await;
    assert_eq!(stop, "Skip to the content");
    let shown = owner.script("return document.activeElement.getBoundingClientRect().top >= 0").await;
    assert_eq!(shown, true, "the skip link has the focus and is not to be seen");
    owner.key(Key::Enter).await;
    until("the focus in the content", async || {
        (owner.script("return document.activeElement.id").await == "content").then_some(())
    })
    .await;

    // Somebody opens something elsewhere: it appears here, in a document that was never loaded again.
    owner.script("document.documentElement.dataset.same = 'yes'").await;
    let bea = house.person("human:bea", "staff").await;
    bea.go(&house.at("wiki", "/looked-at?x=1")).await;
    bea.uses_application("/looked-at?x=1").await;
    bea.was_quiet(house.domain).await;
    owner.see("/looked-at").await;
    assert_eq!(owner.script("return document.documentElement.dataset.same").await, "yes");
    owner.picture("decisions").await;
    owner.press("Pause").await;
    owner.see("Paused").await;

    let row = "//tr[contains(.,'/looked-at') and contains(.,'allowed')]//a".to_owned();
    owner.click(By::XPath(row)).await;
    owner.see("human:bea → wiki").await;
    for words in
        ["What was asked", "How they proved it", "From where", "Facts that were read", "writers-write", "Ledger entry"]
    {
        owner.see(words).await;
    }
    // A checkpoint follows the entry; the page is the same one, asked for again.
    until("the proof", async || {
        let there = owner.page().await.contains("The proof that the entry is in the tree");
        if !there {
            owner.go(&owner.url().await).await;
        }
        there.then_some(())
    })
    .await;
    owner.press("The proof that the entry is in the tree").await;
    owner.see("countersign.localhost/ledger").await;
    owner.picture("decision").await;
    house.run(&["ledger", "verify"]);

    for place in ["Leases", "Subjects", "Groups", "Devices", "Resources", "Policies", "Keys", "Invitations", "Ledger"] {
        owner.press(place).await;
        until(place, async || (owner.words("h1").await == place).then_some(())).await;
        owner.picture(&place.to_lowercase()).await;
    }
    owner.was_quiet(house.domain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_and_resources_are_changed_with_forms() {
    let house = House::open("localhost").await;
    let owner = house.owner().await;
    owner.go(&house.at("wiki", "/board")).await;
    owner.uses_application("/board").await;
    let (wiki, console) = owner.new_tab().await;

    owner.go(&house.control("/console/policies")).await;
    owner.press("Edit policies").await;
    owner.see("One more file").await;
    owner.picture("policy-edit").await;
    owner.fill("Its name", "closed.cedar").await;
    let forbid = r#"@id("wiki-is-closed") @owner("security") @review_by("2099-12-31") @remedy("After the audit.")"#;
    owner
        .fill("Policies in it", &format!("{forbid}\nforbid (principal, action, resource == Resorce::\"wiki\");"))
        .await;
    owner.press("Show what would change").await;
    owner.see("Not possible like this").await;
    owner.see("Resorce").await;
    owner.see("closed.cedar:2:").await;
    owner.picture("policy-mistake").await;
    // What was typed is still there, as a file among the others.
    owner
        .script(
            "for (const t of document.querySelectorAll('textarea')) t.value = t.value.replace('Resorce', 'Resource')",
        )
        .await;
    owner.press("Show what would change").await;
    owner.see("What would change").await;
    owner.see("wiki-is-closed").await;
    owner.picture("policy-review").await;
    owner.back_to(wiki.clone()).await;
    owner.uses_application("/board").await;
    owner.back_to(console).await;
    owner.press("Enforce").await;
    owner.see("The policies are in force").await;
    owner.picture("policies-published").await;
    owner.back_to(wiki).await;
    owner.is_cut_off().await;
    owner.go(&house.at("wiki", "/board")).await;
    owner.see("After the audit.").await;

    owner.go(&house.control("/console/resources")).await;
    owner.press("Add a resource").await;
    owner.fill("Identifier", "handbook").await;
    owner.fill("Name", "Handbook").await;
    owner.fill("Found at", "Handbook Host").await;
    owner.fill("Goes to", "ftp://files").await;
    owner.fill("May read and write", "nobodys").await;
    owner.press("Add it").await;
    owner.see("Not possible like this").await;
    for mistake in ["is no host", "the upstream is http://", "there is no group nobodys"] {
        owner.see(mistake).await;
    }
    owner.picture("resource-mistakes").await;
    owner.fill("Found at", "handbook.localhost").await;
    owner.fill("Goes to", &house.upstream()).await;
    owner.fill("May read and write", "staff").await;
    owner.press("Add it").await;
    owner.see("The resource is as you described it").await;
    owner.picture("resource-added").await;
    owner.go(&house.at("handbook", "/page")).await;
    owner.uses_application("/page").await;
    owner.go(&house.control("/console/resources/handbook")).await;
    owner.press("Change").await;
    owner.picture("resource-change").await;
    owner.fill("Name", "The handbook").await;
    owner.press("Change it").await;
    owner.see("The handbook").await;
    owner.press("Remove").await;
    owner.press("Remove it").await;
    owner.see("The resource is gone").await;
    owner.was_quiet(house.domain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invited_person_sees_what_is_theirs_and_nothing_else() {
    let house = House::open("localhost").await;
    let owner = house.owner().await;
    owner.go(&house.control("/console/invitations")).await;
    owner.fill("User name", "bea").await;
    owner.fill("Full name", "Bea Example").await;
    owner.fill("Groups", "staff").await;
    owner.press("Make a one-time link").await;
    let link = until("the link", async || {
        let page = owner.script("return document.querySelector('main').innerText + [...document.querySelectorAll('main input')].map(i => i.value).join(' ')").await;
        page.as_str()?.split_whitespace().find(|word| word.contains("/invite#")).map(str::to_owned)
    })
    .await;
    owner.picture("invited").await;
    owner.was_quiet(house.domain).await;

    let bea = house.browser().await;
    bea.enrol(&link).await;
    bea.see("Bea Example").await;
    assert!(!bea.page().await.contains("Console"), "the way to the console is shown to somebody who may not go there");

    // The console: a page that says no, and not by which policy or fact.
    for path in ["/console", "/console/decisions", "/console/there-is-no-such-page"] {
        bea.go(&house.control(path)).await;
        bea.see("You do not have access").await;
        let page = bea.page().await;
        for inside in ["owners", "auditors", "countersign-console", "Cedar", "forbid", "permit"] {
            assert!(!page.contains(inside), "the denial of {path} tells {inside}:\n{page}");
        }
    }
    bea.picture("no-console").await;

    bea.go(&house.control("/my/sessions")).await;
    bea.see("this one").await;
    assert!(!bea.page().await.contains("owner"), "somebody else's session is to be seen");
    bea.picture("my-sessions").await;

    // A second passkey would be a second one in the same authenticator, which it refuses; removing the only one asks.
    bea.press("Passkeys").await;
    bea.see("You have one passkey only.").await;
    bea.picture("my-passkeys").await;
    bea.fill("What to call it", "Blue key").await;
    bea.press("Add it").await;
    bea.see("This device already holds a passkey for you.").await;
    bea.new_authenticator().await;
    bea.press("Add it").await;
    bea.see("Your new passkey works now.").await;
    bea.see("Blue key").await;
    bea.click(By::XPath("//li[contains(.,'My device')]//summary[normalize-space()='Remove']".to_owned())).await;
    bea.press("Remove the passkey").await;
    // The session was made with it, and ends with it; the other one signs in.
    bea.see("You are signed out").await;
    bea.picture("ended").await;
    bea.press("Sign in again").await;
    bea.sign_in().await;
    bea.see("My applications").await;
    bea.press("Passkeys").await;
    bea.see("Blue key").await;
    assert!(!bea.page().await.contains("My device"), "the removed passkey is still there");

    bea.press("Sign out").await;
    bea.see("You are signed out").await;
    assert!(bea.cookies().await.is_empty(), "the cookie of a session that is over");
    bea.picture("signed-out").await;
    bea.go(&house.control("/")).await;
    bea.waits_at_sign_in().await;
    bea.was_quiet(house.domain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_host_of_the_same_domain_may_nothing() {
    // Under one registrable domain the browser calls these hosts one site and sends SameSite cookies along: what
    // protects here is the origin alone.
    let house = House::open("acme.localhost").await;
    let owner = house.owner().await;
    owner.go(&house.at("wiki", "/")).await;
    owner.uses_application("/").await;
    owner.go(&house.control("/my/sessions")).await;
    let act = owner.script("return document.querySelector('form[action$=\"/end\"]').action").await;
    let act = act.as_str().unwrap().to_owned();

    owner.go(&house.at("blog", "/")).await;
    owner.see("You are anonymous").await;
    owner.events().await;
    let socket = house.at("wiki", "/ticker").replace("http", "ws");
    owner
        .script(&format!(
            "const s = new WebSocket({socket:?}); s.onclose = (e) => document.body.dataset.socket = e.code"
        ))
        .await;
    until("the end of the foreign WebSocket", async || {
        (owner.script("return document.body.dataset.socket").await == "1006").then_some(())
    })
    .await;
    let mut events = owner.events().await;
    // The page has a socket of its own, whose end may be told late.
    let made = events.iter().find(|event| {
        event["method"] == "Network.webSocketCreated" && event["params"]["url"].as_str() == Some(&socket)
    });
    let made = &made.expect("a WebSocket is made")["params"]["requestId"];
    let failures = events
        .iter()
        .filter(|event| event["method"] == "Network.webSocketFrameError" && event["params"]["requestId"] == *made);
    let failures: Vec<&str> = failures.filter_map(|event| event["params"]["errorMessage"].as_str()).collect();
    assert!(
        failures.len() == 1 && failures[0].ends_with("Unexpected response code: 403"),
        "a foreign WebSocket is refused before the application hears of it: {failures:?}"
    );

    owner
        .script(&format!(
            "const form = document.createElement('form'); form.method = 'post'; form.action = {act:?}; \
             document.body.append(form); form.submit()"
        ))
        .await;
    owner.arrive(&act).await;
    owner.picture("foreign").await;
    events.extend(owner.events().await);
    let posted = events.iter().filter(|event| {
        event["method"] == "Network.responseReceived" && event["params"]["response"]["url"] == act.as_str()
    });
    let statuses: Vec<&Value> = posted.map(|event| &event["params"]["response"]["status"]).collect();
    assert_eq!(statuses, [403], "a foreign form is refused");
    // The session that it was to end is the one that is looking.
    owner.go(&house.control("/my/sessions")).await;
    owner.see("this one").await;
    owner.quiet(house.domain, &events).await;
    owner.was_quiet(house.domain).await;
}
