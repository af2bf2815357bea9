//! The grammar of sudoers(5): aliases, defaults, includes and who may run what as whom. It is read and not judged here; a line
//! that is not understood is no rule, and is given back as such.

use std::collections::{HashMap, HashSet};

/// One name in a list, or its opposite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) negated: bool,
    pub(super) name: String,
}

/// As whom, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    /// `None`: as root. Empty: as oneself, in another group.
    pub(super) users: Option<Vec<Item>>,
    pub(super) asks_password: Option<bool>,
    pub(super) command: Item,
    pub(super) until: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) users: Vec<Item>,
    pub(super) hosts: Vec<Item>,
    pub(super) grants: Vec<Grant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Alias {
    User,
    Runas,
    Host,
    Command,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Nothing,
    Alias(Alias, Vec<(String, Vec<Item>)>),
    /// Settings; `for_some`: of certain users, hosts or commands only.
    Defaults {
        settings: String,
        for_some: bool,
    },
    Include {
        path: String,
        folder: bool,
    },
    Rules(Vec<Rule>),
    Unreadable,
}

/// Lines as they are meant: one that ends in a backslash goes on in the next.
pub(super) fn logical<'l>(lines: impl Iterator<Item = (u64, &'l str)>) -> Vec<(u64, String)> {
    let mut all: Vec<(u64, String)> = Vec::new();
    let mut open = false;
    for (number, line) in lines {
        let (text, goes_on) = match line.strip_suffix('\\') {
            Some(text) if !text.ends_with('\\') => (text, true),
            _ => (line, false),
        };
        match all.last_mut().filter(|_| open) {
            Some((_, before)) => {
                before.push(' ');
                before.push_str(text);
            }
            None => all.push((number, text.to_owned())),
        }
        open = goes_on;
    }
    all
}

pub(super) fn line(text: &str) -> Line {
    let trimmed = text.trim();
    for (word, folder) in [("includedir", true), ("include", false)] {
        let rest = trimmed.strip_prefix(['@', '#']).and_then(|rest| rest.strip_prefix(word));
        if let Some(rest) = rest.filter(|rest| rest.starts_with(char::is_whitespace)) {
            return Line::Include { path: rest.trim().trim_matches('"').to_owned(), folder };
        }
    }
    let text = without_comment(trimmed).trim();
    if text.is_empty() {
        return Line::Nothing;
    }
    if let Some(rest) = text.strip_prefix("Defaults") {
        let for_some = rest.starts_with([':', '@', '>', '!']);
        if for_some || rest.starts_with(char::is_whitespace) || rest.is_empty() {
            return Line::Defaults { settings: rest.trim().to_owned(), for_some };
        }
    }
    let aliases = [
        ("User_Alias", Alias::User),
        ("Runas_Alias", Alias::Runas),
        ("Host_Alias", Alias::Host),
        ("Cmnd_Alias", Alias::Command),
        ("Cmd_Alias", Alias::Command),
    ];
    for (word, alias) in aliases {
        if let Some(rest) = text.strip_prefix(word).filter(|rest| rest.starts_with(char::is_whitespace)) {
            return definitions(rest, alias).map_or(Line::Unreadable, |all| Line::Alias(alias, all));
        }
    }
    rules(text).map_or(Line::Unreadable, Line::Rules)
}

/// A `#` begins a comment, but for one before a number (a user's), in quotes or after a backslash.
fn without_comment(text: &str) -> &str {
    let (mut quoted, mut escaped) = (false, false);
    for (place, character) in text.char_indices() {
        let number = text.get(place + 1..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        match character {
            '"' if !escaped => quoted = !quoted,
            '#' if !quoted && !escaped && !number => return text.get(..place).unwrap_or_default(),
            _ => {}
        }
        escaped = character == '\\' && !escaped;
    }
    text
}

struct Cursor<'t> {
    rest: &'t str,
}

impl Cursor<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, character: char) -> bool {
        self.space();
        match self.rest.strip_prefix(character) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Up to one of these, or a space if `spaces` end it too; quotes and backslashes keep what they stand before.
    fn word(&mut self, ends: &[char], spaces: bool) -> Option<String> {
        let (mut word, mut quoted) = (String::new(), false);
        let mut characters = self.rest.char_indices();
        let mut end = self.rest.len();
        while let Some((place, character)) = characters.next() {
            match character {
                '\\' => word.extend(characters.next().map(|(_, next)| next)),
                '"' => quoted = !quoted,
                other if !quoted && (ends.contains(&other) || spaces && other.is_whitespace()) => {
                    end = place;
                    break;
                }
                other => word.push(other),
            }
        }
        self.rest = self.rest.get(end..).unwrap_or_default();
        let word = word.trim().to_owned();
        (!word.is_empty() && !quoted).then_some(word)
    }

    fn negated(&mut self) -> bool {
        let mut negated = false;
        while self.eat('!') {
            negated = !negated;
        }
        negated
    }

    fn list(&mut self, ends: &[char]) -> Option<Vec<Item>> {
        let mut items = Vec::new();
        loop {
            let negated = self.negated();
            self.space();
            items.push(Item { negated, name: self.word(ends, true)? });
            if !self.eat(',') {
                return Some(items);
            }
        }
    }

    /// An option or tag in capital letters before this sign, such as `NOPASSWD:`.
    fn capital(&mut self, sign: char) -> Option<&str> {
        self.space();
        let end = self.rest.find(|c: char| !c.is_ascii_uppercase() && c != '_').filter(|end| *end > 0)?;
        let (word, rest) = self.rest.split_at_checked(end)?;
        let rest = rest.trim_start().strip_prefix(sign)?;
        self.rest = rest;
        Some(word)
    }
}

fn definitions(text: &str, alias: Alias) -> Option<Vec<(String, Vec<Item>)>> {
    let mut cursor = Cursor { rest: text };
    let mut all = Vec::new();
    loop {
        cursor.space();
        let name = cursor.word(&['='], true)?;
        if !cursor.eat('=') {
            return None;
        }
        let items = if alias == Alias::Command {
            let mut items = Vec::new();
            loop {
                items.push(command(&mut cursor)?);
                if !cursor.eat(',') {
                    break;
                }
            }
            items
        } else {
            cursor.list(&[',', ':'])?
        };
        all.push((name, items));
        if !cursor.eat(':') {
            return cursor.rest.trim().is_empty().then_some(all);
        }
    }
}

fn command(cursor: &mut Cursor<'_>) -> Option<Item> {
    let negated = cursor.negated();
    cursor.space();
    // A digest before the path; the command is still that one.
    while cursor.rest.starts_with("sha2") || cursor.rest.starts_with("sha3") || cursor.rest.starts_with("sha5") {
        cursor.word(&[','], true)?;
        cursor.space();
    }
    Some(Item { negated, name: cursor.word(&[',', ':'], false)? })
}

fn rules(text: &str) -> Option<Vec<Rule>> {
    let mut cursor = Cursor { rest: text };
    let users = cursor.list(&[',', '='])?;
    let mut rules = Vec::new();
    loop {
        let hosts = cursor.list(&[',', '='])?;
        if !cursor.eat('=') {
            return None;
        }
        let mut grants = Vec::new();
        let mut before = Grant {
            users: None,
            asks_password: None,
            command: Item { negated: false, name: String::new() },
            until: None,
        };
        loop {
            if cursor.eat('(') {
                cursor.space();
                let none = cursor.rest.starts_with([':', ')']);
                before.users = Some(if none { Vec::new() } else { cursor.list(&[',', ':', ')'])? });
                if cursor.eat(':') {
                    cursor.list(&[',', ')'])?;
                }
                if !cursor.eat(')') {
                    return None;
                }
            }
            while let Some(option) = cursor.capital('=') {
                let ends = option == "NOTAFTER";
                cursor.space();
                let value = cursor.word(&[','], true)?;
                if ends {
                    before.until = Some(value.chars().filter(char::is_ascii_alphanumeric).take(20).collect());
                }
            }
            while let Some(tag) = cursor.capital(':') {
                match tag {
                    "NOPASSWD" => before.asks_password = Some(false),
                    "PASSWD" => before.asks_password = Some(true),
                    _ => {}
                }
            }
            grants.push(Grant { command: command(&mut cursor)?, ..before.clone() });
            if !cursor.eat(',') {
                break;
            }
        }
        rules.push(Rule { users: users.clone(), hosts, grants });
        if !cursor.eat(':') {
            return cursor.rest.trim().is_empty().then_some(rules);
        }
    }
}

/// Aliases of all files of a host: they mean the same in each.
#[derive(Debug, Default)]
pub(super) struct Aliases(HashMap<(Alias, String), Vec<Item>>);

impl Aliases {
    /// `false`: it is defined twice, and the first counts.
    pub(super) fn define(&mut self, alias: Alias, name: String, items: Vec<Item>) -> bool {
        let new = !self.0.contains_key(&(alias, name.clone()));
        self.0.entry((alias, name)).or_insert(items);
        new
    }

    /// The list with what its aliases stand for, in order. An alias that leads to itself ends there; each is opened once.
    pub(super) fn resolve(&self, alias: Alias, items: &[Item]) -> Vec<Item> {
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        let mut waiting: Vec<Item> = items.iter().rev().cloned().collect();
        while let Some(item) = waiting.pop() {
            match self.0.get(&(alias, item.name.clone())) {
                None => found.push(item),
                Some(_) if !seen.insert((item.name.clone(), item.negated)) => {}
                Some(inner) => waiting.extend(
                    inner.iter().rev().map(|it| Item { negated: it.negated != item.negated, name: it.name.clone() }),
                ),
            }
        }
        found
    }
}
