//! The estate in a browser: a file is dropped, the health check says what is wrong by name and with evidence, and one identity is
//! opened; then the same with the keyboard's way to choose a file, and a file that is none.

use thirtyfour::prelude::*;

use crate::browser::Browser;
use crate::house::House;
use crate::until;

/// Ann, whose password never expires, controls Ben, who is of tier zero.
pub(crate) const USERS: &str = r#"{"data":[
 {"ObjectIdentifier":"S-1-5-21-1-2-3-1101","PrimaryGroupSID":"S-1-5-21-1-2-3-513","Aces":[],
  "Properties":{"domain":"CORP.EXAMPLE","name":"ANN@CORP.EXAMPLE","samaccountname":"ann","enabled":true,"pwdneverexpires":true,
   "lastlogontimestamp":1500000000,"pwdlastset":1400000000,"whencreated":1300000000}},
 {"ObjectIdentifier":"S-1-5-21-1-2-3-1102","PrimaryGroupSID":"S-1-5-21-1-2-3-513",
  "Properties":{"domain":"CORP.EXAMPLE","name":"BEN@CORP.EXAMPLE","samaccountname":"ben","enabled":true,"highvalue":true},
  "Aces":[{"PrincipalSID":"S-1-5-21-1-2-3-1101","PrincipalType":"User","RightName":"GenericAll","IsInherited":false}]}
],"meta":{"methods":7,"type":"users","count":2,"version":6}}"#;

impl Browser {
    /// As if somebody let go of a file over the form.
    async fn drop_file(&self, name: &str, text: &str) {
        self.script(&format!(
            "const dragged = new DataTransfer(); dragged.items.add(new File([{text:?}], {name:?})); \
             document.querySelector('[data-drop]').dispatchEvent(\
             new DragEvent('drop', {{ dataTransfer: dragged, bubbles: true, cancelable: true }}))"
        ))
        .await;
        self.see("1 to import").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_drops_an_export_and_reads_what_is_wrong() {
    let house = House::open("localhost").await;
    let owner = house.owner().await;
    owner.go(&house.control("/console/estate")).await;
    owner.press("Import").await;
    owner.see("Import files").await;
    owner.drop_file("users.json", USERS).await;
    // The focus is where the next key is wanted.
    owner.key(Key::Enter).await;
    owner.see("It is in the estate").await;
    owner.see("things that are new").await;
    owner.see("users.json").await;
    owner.picture("estate-import").await;

    until("the health check of the import", async || {
        owner.go(&house.control("/console/health")).await;
        owner.go(&house.control("/console/health/indicators/password-never-expires")).await;
        owner.page().await.contains("ANN@CORP.EXAMPLE").then_some(())
    })
    .await;
    owner.see("password_never_expires = true").await;
    owner.picture("health-indicator").await;
    owner.press("ANN@CORP.EXAMPLE").await;
    owner.see("A shortest way to tier zero").await;
    owner.see("BEN@CORP.EXAMPLE").await;
    owner.see("full control").await;
    owner.picture("identity").await;
    owner.go(&house.control("/console/health")).await;
    owner.picture("health").await;
    owner.go(&house.control("/console/estate?search=ann")).await;
    owner.see("ANN@CORP.EXAMPLE").await;
    owner.picture("estate").await;
    owner.quiet(house.domain, &owner.events().await).await;

    // By the field for files, only to see what would change; then a file that breaks off.
    let whole = house.file("users.json", USERS);
    let cut = house.file("cut.json", &USERS[..300]);
    owner.go(&house.control("/console/estate/imports")).await;
    owner.choose_file("#files", &whole).await;
    owner.press("Only show what would change").await;
    owner.see("Nothing was imported.").await;
    owner.go(&house.control("/console/estate/imports")).await;
    owner.choose_file("#files", &cut).await;
    owner.click(By::Css("[data-import] button.first".to_owned())).await;
    owner.see("cut.json").await;
    owner.see("ends in the middle").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_takes_a_step_on_with_the_keyboard_and_gives_their_word() {
    let house = House::open("localhost").await;
    let owner = house.owner().await;
    let whole = house.file("users.json", USERS);
    owner.go(&house.control("/console/estate/imports")).await;
    owner.choose_file("#files", &whole).await;
    owner.press("Import").await;
    owner.see("It is in the estate").await;
    until("the step on the board", async || {
        owner.go(&house.control("/console/board")).await;
        let there = "return document.querySelector('#step-password-never-expires') !== null";
        owner.script(there).await.as_bool().filter(|there| *there)
    })
    .await;
    owner.script("document.querySelector('#step-password-never-expires summary').focus()").await;
    owner.key(Key::Enter).await;
    owner.key(Key::Tab).await;
    owner.key("ben").await;
    owner.key(Key::Enter).await;
    owner.see("It is on the board with whoever does it.").await;
    owner.see("without a date").await;
    owner.picture("board").await;

    owner.go(&house.control("/console/gaps/break-glass")).await;
    owner.fill("What you saw", "two envelopes in the safe").await;
    owner.press("Attest").await;
    owner.see("Your word is recorded").await;
    owner.see("in force").await;
    owner.picture("gap-control").await;
    owner.quiet(house.domain, &owner.events().await).await;
}
