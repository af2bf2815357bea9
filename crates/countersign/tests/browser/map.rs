//! The map and the slider in a browser: opened by keyboard alone, readable on a phone, without a script; and no page of the estate is
//! wider than a phone.

use thirtyfour::prelude::*;

use crate::browser::Browser;
use crate::estate::USERS;
use crate::house::House;
use crate::until;

/// The pages of the estate, with an account that is there.
const PAGES: [&str; 9] = [
    "estate",
    "estate/imports",
    "estate/links",
    "estate/identity?key=sid%3AS-1-5-21-1-2-3-1101",
    "health",
    "health/indicators/password-never-expires",
    "health/paths?from=sid%3AS-1-5-21-1-2-3-1101",
    "gaps",
    "map?by=kind",
];

impl Browser {
    /// Goes from one thing to the next with the Tab key, as far as `selector`, and tells how many steps it took.
    async fn tab_to(&self, selector: &str) -> usize {
        for step in 0..200 {
            let there = format!("return document.activeElement?.matches({selector:?}) ?? false");
            if self.script(&there).await == true {
                return step;
            }
            self.key(Key::Tab).await;
        }
        panic!("{selector:?} is not reached with the keyboard at {}", self.url().await);
    }

    /// What is wrong with the page for whoever has a phone or no mouse.
    async fn complaints(&self) -> String {
        let found = self
            .script(
                "const wide = document.documentElement.scrollWidth - 390; \
                 const bare = [...document.querySelectorAll('main input:not([type=hidden]), main select, main textarea')] \
                   .filter(field => !field.labels?.length && !field.ariaLabel).map(field => field.outerHTML); \
                 const silent = [...document.querySelectorAll('main a[href], main button, main summary')] \
                   .filter(one => !one.textContent.trim() && !one.ariaLabel).map(one => one.outerHTML); \
                 return JSON.stringify({ wide: Math.max(wide, 0), bare, silent })",
            )
            .await;
        found.as_str().unwrap_or_default().to_owned()
    }

    /// The outline or stroke that shows where the focus is.
    async fn shows_focus(&self) -> bool {
        let shown = self
            .script(
                "const one = document.activeElement; const style = getComputedStyle(one); \
                 const box = one.querySelector('rect'); \
                 return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 \
                   || !!box && parseFloat(getComputedStyle(box).strokeWidth) >= 3",
            )
            .await;
        shown == true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_map_is_read_by_keyboard_and_on_a_phone() {
    let house = House::open("localhost").await;
    let owner = house.owner().await;
    let export = house.file("users.json", USERS);
    owner.go(&house.control("/console/estate/imports")).await;
    owner.choose_file("#files", &export).await;
    owner.click(By::Css("[data-import] button.first".to_owned())).await;
    owner.see("It is in the estate").await;
    until("the map of the import", async || {
        owner.go(&house.control("/console/map?by=tier")).await;
        owner.page().await.contains("tier zero").then_some(())
    })
    .await;
    owner.picture("map").await;

    // By keyboard: into a box, to a node, to its page.
    owner.tab_to("svg.map a.box").await;
    assert!(owner.shows_focus().await, "the focus is not to be seen on the drawing");
    owner.go(&house.control("/console/map?by=tier&open=tier")).await;
    owner.tab_to("svg.map a.box[href*='1101']").await;
    owner.picture("map-open").await;
    owner.key(Key::Enter).await;
    owner.see("A shortest way to tier zero").await;
    // An edge leads to its evidence.
    owner.go(&house.control("/console/map?by=tier")).await;
    owner.tab_to("#content a[href*='/map/edges']").await;
    owner.key(Key::Enter).await;
    owner.see("users.json").await;
    owner.picture("map-edges").await;

    // A day before the import: the page says what it rests on.
    owner.go(&house.control("/console/health")).await;
    owner.tab_to("#as-of").await;
    owner.go(&house.control("/console/health?as_of=2020-02-01")).await;
    owner.see("All evidence was collected after this date").await;
    owner.see("As of 2020-02-01").await;
    owner.picture("health-as-of").await;
    owner.press("The newest").await;
    owner.see("The newest assessment").await;

    owner.phone(true).await;
    for page in PAGES {
        owner.go(&house.control(&format!("/console/{page}"))).await;
        owner.see("Countersign").await;
        assert_eq!(owner.complaints().await, r#"{"wide":0,"bare":[],"silent":[]}"#, "{page}");
        owner.key(Key::Tab).await;
        assert!(owner.shows_focus().await, "{page}: the focus is not to be seen");
    }
    // The tables come first there, and the drawing scrolls inside its box.
    let order = "const top = one => document.querySelector(one).getBoundingClientRect().top; \
                 const box = document.querySelector('.map-scroll'); \
                 return top('#boxes') < top('#drawing') && box.scrollWidth > box.clientWidth";
    assert_eq!(owner.script(order).await, true);
    owner.phone(false).await;
    owner.was_quiet(house.domain).await;
}
