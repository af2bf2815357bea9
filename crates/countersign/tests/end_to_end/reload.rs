//! Configuration and policies change while it runs: both or neither.

use hyper::{Method, StatusCode};

use crate::{application, estate};
use countersign_testkit::TestSystem;

#[tokio::test(flavor = "multi_thread")]
async fn a_new_file_counts_and_a_bad_one_changes_nothing() {
    let address = application::start().await;
    let test = TestSystem::start(&estate(address)).await;
    let mut reloader = test.reloader();
    let mut browser = test.browser();
    let url = test.url("public", "/");
    assert_eq!(browser.send(Method::GET, &url, None).await.unwrap().status(), StatusCode::OK);

    test.rewrite(&format!("{}\nnonsense = 1\n", estate(address)));
    reloader.reload(&test.system).await;
    assert_eq!(browser.send(Method::GET, &url, None).await.unwrap().status(), StatusCode::OK);

    // The public application becomes one for people who have signed in.
    test.rewrite(&estate(address).replace("tier = \"public\"", "tier = \"standard\""));
    reloader.reload(&test.system).await;
    assert_eq!(browser.send(Method::GET, &url, None).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    test.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_with_a_mistake_never_replaces_a_good_set() {
    let address = application::start().await;
    let test = TestSystem::start(&estate(address)).await;
    let mut reloader = test.reloader();
    let before = test.system.administrator().policies().hash().to_owned();
    let extra = test.path("data/policies/zz-extra.cedar");
    std::fs::write(&extra, "@id(\"x\")\npermit(principal, action, resource) when { context.nonsense };\n").unwrap();
    reloader.reload(&test.system).await;
    assert_eq!(test.system.administrator().policies().hash(), before);
    let good = "@id(\"nothing-public\")\n@owner(\"security\")\n@review_by(\"2099-01-01\")\n@remedy(\"Wait.\")\n\
                forbid(principal, action, resource) when { resource.kind == \"http\" && resource.tier == \"public\" };\n";
    std::fs::write(&extra, good).unwrap();
    reloader.reload(&test.system).await;
    assert_ne!(test.system.administrator().policies().hash(), before);
    let denied = test.browser().send(Method::GET, &test.url("public", "/"), None).await.unwrap();
    assert_ne!(denied.status(), StatusCode::OK);
    test.stop().await;
}
