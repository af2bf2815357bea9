//! The crate against itself and against forgeries.
