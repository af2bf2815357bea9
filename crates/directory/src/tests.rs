//! The crate from outside, against a server of a few lines that speaks as it likes: what a well-behaved one is read as,
//! what a hostile one ends with, and that reading changes comes to the same as reading everything. Real servers are asked in
//! `tests/real`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop"
)]

mod changes;
mod fake;
mod forms;
mod hostile;

use std::ops::ControlFlow;

use crate::{Account, Limits, Mirror, ReadFault, Reading, Request, read_over};
use fake::{Asked, Fake};

/// Reads from a server that answers so.
fn ask(serve: impl FnMut(&Asked) -> Vec<u8> + Send + 'static, before: Option<Mirror>) -> Result<Reading, ReadFault> {
    within(Limits { page: 2, ..Limits::default() }, serve, before)
}

fn within(
    limits: Limits,
    serve: impl FnMut(&Asked) -> Vec<u8> + Send + 'static,
    before: Option<Mirror>,
) -> Result<Reading, ReadFault> {
    let account = Account::new("reader@corp.example", b"s3cret").unwrap();
    let request = Request { account: &account, bases: &[], before, limits };
    read_over(Fake::new(serve), "test", request, &mut |_| ControlFlow::Continue(()))
}
