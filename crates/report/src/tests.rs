//! The crate from outside and each layer of it. The estate is small and our own; what is hostile comes in as a stranger's file
//! would bring it, and past every door that it has to pass before.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may stop")]

mod estate;
mod hostile;
mod pack;
mod portfolio;
mod sample;
mod whole;
