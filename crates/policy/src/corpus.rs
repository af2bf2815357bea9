//! Runs Cedar's own integration tests.
