//! The command line holds together, and every word of it shows how it is used.

use clap::Command;

use super::described;

fn without_example(command: &Command, path: &str, missing: &mut Vec<String>) {
    for inner in command.get_subcommands() {
        let path = format!("{path} {}", inner.get_name());
        let help = inner.get_after_help().map(ToString::to_string).unwrap_or_default();
        let shown = help.starts_with("Example")
            && help.lines().any(|line| line.contains(&format!("  {path}")) || alias(line, &path));
        if !shown || inner.get_about().is_none() {
            missing.push(path.clone());
        }
        without_example(inner, &path, missing);
    }
}

/// An example may set a variable first.
fn alias(line: &str, path: &str) -> bool {
    line.contains("COUNTERSIGN_") && line.contains(path)
}

#[test]
fn every_command_says_what_it_does_and_shows_an_example() {
    let mut missing = Vec::new();
    without_example(&described(), "countersign", &mut missing);
    assert!(missing.is_empty(), "no line of help or no example: {missing:?}");
}

fn without_help(command: &Command, path: &str, missing: &mut Vec<String>) {
    for argument in command.get_arguments().filter(|argument| argument.get_help().is_none()) {
        missing.push(format!("{path} {}", argument.get_id()));
    }
    for inner in command.get_subcommands() {
        without_help(inner, &format!("{path} {}", inner.get_name()), missing);
    }
}

#[test]
fn every_argument_says_what_it_is() {
    let mut missing = Vec::new();
    without_help(&described(), "countersign", &mut missing);
    assert!(missing.is_empty(), "no line of help: {missing:?}");
}

#[test]
fn the_command_line_holds_together() {
    described().debug_assert();
}
