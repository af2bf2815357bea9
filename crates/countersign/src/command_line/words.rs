//! Help for arguments that mean the same everywhere: what an id is, and which command shows those that there are. What an
//! argument says of itself goes first.

use clap::{Arg, Command, CommandFactory as _, FromArgMatches as _};

use super::CommandLine;

/// The command line of this process; ends it where that is mistaken, or asks for help.
pub fn read() -> CommandLine {
    let matches = described().get_matches();
    CommandLine::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// Every word of the command line, with help for each argument.
pub fn described() -> Command {
    within(CommandLine::command())
}

fn within(command: Command) -> Command {
    let of = command.get_name().to_owned();
    command.mut_subcommands(|inner| {
        let inner = inner.mut_args(|argument| match (argument.get_help(), words(&of, &argument)) {
            (None, Some(words)) => argument.help(words),
            _ => argument,
        });
        within(inner)
    })
}

/// `of` is the command that the argument's command is under, such as `session` of `session kill`.
fn words(of: &str, argument: &Arg) -> Option<String> {
    let words = match argument.get_id().as_str() {
        "id" if of == "policy" => "Its id: `countersign policy show` or `policy proposals` shows those that there are",
        "id" => return Some(format!("Its id: `countersign {of} list` shows those that there are")),
        "subject" => "Somebody: human:NAME, service:NAME or agent:NAME",
        "resource" => "The id of a resource: `countersign resource list` shows them",
        "action" => "What is done: http:read, http:write, http:administer or http:connect",
        "owner" => "Who answers for it, such as human:alice@example.org",
        "name" => "What people read; without it, what the id says",
        "email" => "The address that people and directories know it by",
        "member_of" => "A group that everybody in this one is in too. May be said again",
        "readers" => "A group that may read. May be said again",
        "writers" => "A group that may read and write. May be said again",
        "administrators" => "A group that may do everything. May be said again",
        "tier" => "How sensitive it is",
        "risk" => "From 0 to 100",
        "effect" => "Only those with this outcome",
        "address" => "As if from this address",
        "limit" => "How many at most",
        "index" => "The number of the entry, from 0",
        "format" => "The form of the output",
        "identity" => "Where the device keeps what it proves itself with",
        "key_file" => "The verifier key, in a file",
        "directory" => "A directory",
        "shell" => "Which shell",
        _ => return None,
    };
    Some(words.to_owned())
}
