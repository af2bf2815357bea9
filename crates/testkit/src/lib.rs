//! What tests of several crates share: a clock that is turned by hand and, behind the feature `system`, the whole
//! system in one process. Not part of the product.

mod clock;

pub use clock::ManualClock;
