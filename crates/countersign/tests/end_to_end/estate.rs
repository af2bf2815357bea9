//! The organisation that the tests are about, as the end of a configuration file: who there is, and what each test adds.

use std::fmt::Display;

/// Alice and Bob, and a service of Alice's, all of the staff.
pub(crate) const STAFF: &str = r#"
[[group]]
id = "staff"
[[subject]]
id = "human:alice"
groups = ["staff"]
[[subject]]
id = "human:bob"
groups = ["staff"]
[[subject]]
id = "service:backup"
owner = "human:alice"
groups = ["staff"]
"#;

/// A service of Alice's that may ask for decisions.
pub(crate) fn enforcement_point(name: &str) -> String {
    format!("[[subject]]\nid = \"service:{name}\"\nowner = \"human:alice\"\ngroups = [\"enforcement-points\"]\n")
}

/// An application that `more` says the rest of.
pub(crate) fn application(id: &str, tier: &str, upstream: impl Display, more: &str) -> String {
    format!("[[resource]]\nid = \"{id}\"\ntier = \"{tier}\"\nupstream = \"http://{upstream}\"\n{more}\n")
}

/// That the staff writes.
pub(crate) const WRITTEN: &str = "writers = [\"staff\"]";

/// Where nothing answers: nobody is let through in these tests, or is asked for a decision only.
pub(crate) const NOWHERE: &str = "127.0.0.1:1";
