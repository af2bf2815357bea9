//! A review in a browser: an owner opens it, whoever answers decides on a page of their own, and what is revoked ends where it
//! is being used.

use thirtyfour::prelude::*;

use crate::house::House;
use crate::until;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_answers_revokes_access_while_it_is_used() {
    let house = House::open("localhost").await;
    let owner = house.owner().await;
    let ada = house.person("human:ada", "staff").await;
    let bea = house.person("human:bea", "staff").await;
    ada.go(&house.at("wiki", "/board")).await;
    ada.see("You are human:ada, at /board").await;
    until("the WebSocket", async || (ada.words("#socket").await == "open").then_some(())).await;

    owner.go(&house.control("/console/reviews")).await;
    owner.press("Open one").await;
    owner.fill("Title", "Autumn").await;
    owner.fill("In groups", "staff").await;
    owner.fill("To resources", "wiki").await;
    owner.fill("Who reviews where nobody else answers, or may", "human:bea, human:owner").await;
    owner.press("Open it").await;
    owner.see("2 of 2 lines are undecided.").await;
    owner.picture("review").await;

    // Bea answers for Ada's access, and not for her own.
    bea.go(&house.control("/my/reviews")).await;
    bea.see("1 wait for you").await;
    bea.press("Autumn").await;
    bea.see("human:ada").await;
    assert!(!bea.page().await.contains("human:bea may"), "nobody is asked about their own access");
    bea.picture("my-review").await;
    bea.click(By::Css("input[name=line]".to_owned())).await;
    bea.press("Revoke").await;
    bea.see("Not possible. Nothing is decided.").await;
    bea.fill("Reason, for all of them", "moved to another team").await;
    bea.press("Revoke").await;
    bea.see("Nothing waits for you.").await;
    until("the end of the WebSocket", async || ada.words("#socket").await.starts_with("closed").then_some(())).await;
    ada.go(&house.at("wiki", "/board")).await;
    until("the refusal", async || (!ada.page().await.contains("You are human:ada")).then_some(())).await;

    // The other line is the owner's to decide, and then the review is finished.
    owner.go(&house.control("/my/reviews")).await;
    owner.press("Autumn").await;
    owner.see("human:bea").await;
    owner.click(By::Css("input[name=line]".to_owned())).await;
    owner.fill("Reason, for all of them", "she writes there every week").await;
    owner.press("Keep").await;
    owner.go(&house.control("/console/reviews")).await;
    owner.press("Autumn").await;
    for words in ["0 of 2 lines are undecided.", "finished", "moved to another team"] {
        owner.see(words).await;
    }
    owner.was_quiet(house.domain).await;
    bea.was_quiet(house.domain).await;
}
