//! The binary's inside, as a library so that the end-to-end tests run the very same wiring: configuration, command
//! line, the parts put together, the demonstration. It decides nothing and enforces nothing.

pub mod configuration;
