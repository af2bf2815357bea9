//! The floors of the house: which crate may know which. Arrows go downwards only; `cargo xtask tidy` and a test hold
//! the workspace against this table.

/// One crate: its floor, what it may depend on among ours, and what it must never reach, with the reason.
pub(crate) struct Floor {
    pub(crate) name: &'static str,
    pub(crate) level: u8,
    pub(crate) may: &'static [&'static str],
    pub(crate) never: &'static [(&'static str, &'static str)],
}

const NO_TOKIO: (&str, &str) = ("tokio", "it is pure: an executor would let it wait");
const NO_STORE: (&str, &str) = ("countersign-store", "facts are given to it; it does not fetch them");
const NO_POLICY: (&str, &str) = ("countersign-policy", "it enforces or proves, and cannot decide what it cannot see");
const NO_ADMINISTRATOR: (&str, &str) =
    ("countersign-administrator", "it is told what was decided through the gate alone");
const NO_GATEWAY: (&str, &str) = ("countersign-gateway", "whoever decides or shows does not forward");
const NO_WEB: (&str, &str) = ("countersign-web", "what people look at is the top floor");

pub(crate) const FLOORS: &[Floor] = &[
    Floor { name: "countersign-model", level: 0, may: &[], never: &[NO_TOKIO] },
    Floor { name: "countersign-policy", level: 1, may: &["countersign-model"], never: &[NO_TOKIO, NO_STORE] },
    Floor {
        name: "countersign-ledger",
        level: 1,
        may: &["countersign-model"],
        never: &[NO_TOKIO, NO_POLICY, NO_STORE],
    },
    Floor { name: "countersign-graph", level: 1, may: &["countersign-model"], never: &[NO_TOKIO, NO_STORE, NO_POLICY] },
    Floor {
        name: "countersign-lease",
        level: 2,
        may: &["countersign-model", "countersign-ledger"],
        never: &[NO_POLICY, NO_STORE, NO_ADMINISTRATOR],
    },
    Floor {
        name: "countersign-replay",
        level: 2,
        may: &["countersign-model", "countersign-policy", "countersign-ledger"],
        never: &[
            NO_TOKIO,
            NO_STORE,
            (
                "countersign-administrator",
                "what was decided is decided again on what is recorded, not on what is so now",
            ),
        ],
    },
    Floor {
        name: "countersign-prove",
        level: 2,
        may: &["countersign-model", "countersign-policy"],
        never: &[NO_STORE, ("countersign-ledger", "what a proof is worth recording is decided by whoever records")],
    },
    Floor {
        name: "countersign-store",
        level: 2,
        may: &["countersign-model"],
        never: &[NO_POLICY, ("countersign-lease", "a lease is alive in memory and never stored")],
    },
    Floor {
        name: "countersign-estate",
        level: 2,
        may: &["countersign-model", "countersign-graph"],
        never: &[
            NO_TOKIO,
            NO_STORE,
            NO_POLICY,
            ("hyper", "files are given to it: whoever reads hostile bytes opens nothing and calls nobody"),
        ],
    },
    Floor {
        name: "countersign-directory",
        level: 3,
        may: &["countersign-model", "countersign-estate"],
        never: &[NO_STORE, NO_POLICY, NO_ADMINISTRATOR, NO_GATEWAY, NO_WEB],
    },
    Floor {
        name: "countersign-identity",
        level: 2,
        may: &["countersign-model"],
        never: &[NO_POLICY, NO_STORE, NO_ADMINISTRATOR],
    },
    Floor {
        name: "countersign-device",
        level: 2,
        may: &["countersign-model"],
        never: &[NO_POLICY, NO_STORE, NO_ADMINISTRATOR],
    },
    Floor {
        name: "countersign-administrator",
        level: 3,
        may: &[
            "countersign-model",
            "countersign-policy",
            "countersign-ledger",
            "countersign-replay",
            "countersign-lease",
            "countersign-store",
            "countersign-identity",
            "countersign-device",
        ],
        never: &[NO_GATEWAY, NO_WEB],
    },
    Floor {
        name: "countersign-gateway",
        level: 4,
        may: &[
            "countersign-model",
            "countersign-ledger",
            "countersign-lease",
            "countersign-identity",
            "countersign-device",
        ],
        never: &[NO_POLICY, NO_STORE, NO_ADMINISTRATOR, NO_WEB],
    },
    Floor {
        name: "countersign-assess",
        level: 3,
        may: &["countersign-model", "countersign-graph", "countersign-estate"],
        never: &[NO_TOKIO, NO_STORE, NO_POLICY, NO_GATEWAY, NO_WEB],
    },
    Floor {
        name: "countersign-report",
        level: 4,
        may: &["countersign-model", "countersign-graph", "countersign-estate", "countersign-assess"],
        never: &[NO_TOKIO, NO_STORE, NO_POLICY, NO_GATEWAY, NO_WEB],
    },
    Floor {
        name: "countersign-govern",
        level: 4,
        may: &[
            "countersign-model",
            "countersign-ledger",
            "countersign-graph",
            "countersign-estate",
            "countersign-assess",
            "countersign-administrator",
        ],
        never: &[NO_GATEWAY, NO_WEB],
    },
    Floor {
        name: "countersign-web",
        level: 5,
        may: &[
            "countersign-model",
            "countersign-ledger",
            "countersign-lease",
            "countersign-identity",
            "countersign-administrator",
            "countersign-graph",
            "countersign-estate",
            "countersign-assess",
            "countersign-report",
            "countersign-govern",
        ],
        never: &[NO_GATEWAY],
    },
    Floor {
        name: "countersign",
        level: 6,
        may: &[
            "countersign-model",
            "countersign-policy",
            "countersign-prove",
            "countersign-ledger",
            "countersign-replay",
            "countersign-lease",
            "countersign-store",
            "countersign-identity",
            "countersign-device",
            "countersign-administrator",
            "countersign-gateway",
            "countersign-graph",
            "countersign-estate",
            "countersign-directory",
            "countersign-assess",
            "countersign-report",
            "countersign-govern",
            "countersign-web",
        ],
        never: &[],
    },
];

/// Crates beside the house: they may use every floor, and no floor may use them outside its tests.
pub(crate) const BESIDE: &[&str] = &["countersign-testkit", "xtask"];
