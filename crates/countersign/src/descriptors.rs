//! How many files and connections this process may hold open, and how many connections it takes because of that. Running
//! out would not only refuse connections: the ledger opens files too.

use rustix::process::{Resource, getrlimit, setrlimit};

/// For the store, the ledger, the listeners and the outgoing connections of sign-in.
const RESERVE: usize = 256;
/// More connections than one node serves well.
const MOST: usize = 65_536;
/// No address takes more than this share.
const SHARE: usize = 8;

/// What the gateway may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    pub in_all: usize,
    pub per_address: usize,
}

/// Raises the limit as far as it goes without privilege, and divides it.
pub fn connections() -> Connections {
    let limit = getrlimit(Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    let allowed = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    divide(allowed.map(|allowed| usize::try_from(allowed).unwrap_or(usize::MAX)))
}

/// Each connection may need another to an application.
fn divide(allowed: Option<usize>) -> Connections {
    let in_all = allowed.map_or(MOST, |allowed| (allowed.saturating_sub(RESERVE) / 2).clamp(16, MOST));
    Connections { in_all, per_address: (in_all / SHARE).max(16) }
}

#[cfg(test)]
mod tests {
    use super::{Connections, divide};

    #[test]
    fn the_ledger_always_has_descriptors_left() {
        assert_eq!(divide(None), Connections { in_all: 65_536, per_address: 8192 });
        assert_eq!(divide(Some(1 << 20)), Connections { in_all: 65_536, per_address: 8192 });
        assert_eq!(divide(Some(1024)), Connections { in_all: 384, per_address: 48 });
        assert_eq!(divide(Some(0)), Connections { in_all: 16, per_address: 16 });
    }
}
