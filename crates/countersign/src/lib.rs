//! The binary's inside, as a library so that the end-to-end tests run the very same wiring: configuration, command
//! line, the parts put together, the demonstration. It decides nothing and enforces nothing.

pub mod applied;
pub mod browser;
pub mod certificates;
pub mod command_line;
pub mod commands;
pub mod configuration;
pub mod control;
pub mod data_directory;
pub mod demo;
pub mod descriptors;
pub mod dial;
pub mod laptop;
pub mod operations;
pub mod policies;
pub mod proofs;
pub mod reload;
pub mod system;
pub mod telemetry;
pub mod terminal;
pub mod up;
