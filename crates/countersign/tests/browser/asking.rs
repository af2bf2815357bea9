//! The access matrix in a browser: a circumstance changed, the people behind a cell, the reason, and what nobody covers.

use thirtyfour::prelude::*;

use crate::browser::Browser;
use crate::house::House;
use crate::until;

impl Browser {
    async fn choose(&self, field: &str, value: &str) {
        self.click(By::XPath(format!("//select[@id='{field}']/option[@value='{value}' or .='{value}']"))).await;
    }

    /// What the matrix says about a group at a resource, once it is there.
    async fn cell(&self, group: &str, resource: &str, expected: &str) {
        let script = format!(
            "const row = [...document.querySelectorAll('table.access tbody tr')]\
             .find(row => row.querySelector('th span').innerText === {group:?});\
             return row?.querySelector('td[data-label={resource:?}]')?.innerText"
        );
        until(&format!("{group} at {resource}: {expected}"), async || {
            self.script(&script).await.as_str().filter(|text| text.starts_with(expected)).map(drop)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_reads_the_access_matrix_and_asks_why() {
    let house = House::open("localhost").await;
    let owner = house.owner().await;
    house.run(&["subject", "add", "human:bea", "--group", "staff"]);
    owner.go(&house.control("/console/access")).await;
    owner.see("Everybody is counted").await;
    owner.cell("staff", "wiki", "all: 1").await;
    owner.cell("visitors", "wiki", "none").await;
    owner.picture("access").await;

    owner.choose("sign_in", "federated").await;
    owner.press("Show").await;
    owner.cell("staff", "wiki", "none").await;
    owner.choose("sign_in", "multi-factor").await;
    owner.choose("action", "http:write").await;
    // Who has a keyboard only gets there too.
    owner.key(Key::Tab).await;
    owner.press("Show").await;
    owner.cell("staff", "wiki", "all: 1").await;

    owner.click(By::XPath("//tr[th/span='staff']/td[@data-label='wiki']/a".to_owned())).await;
    owner.see("Who can write wiki").await;
    owner.see("human:bea").await;
    owner.press("Under any circumstances").await;
    owner.see("with multi-factor sign-in, on a managed device").await;
    owner.picture("access-who").await;
    owner.click(By::XPath("//td[@data-label='Why']/a".to_owned())).await;
    owner.see("What would turn it around").await;
    owner.see("Leave the group staff.").await;
    owner.picture("access-why").await;

    owner.go(&house.control("/console/coverage")).await;
    owner.see("Doors").await;
    owner.see("Identities").await;
    owner.picture("coverage").await;
    owner.was_quiet(house.domain).await;
}
