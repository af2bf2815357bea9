//! Hosts that are reached by SSH, one after the other in one text: accounts and groups, the keys that open accounts, and who may
//! become root or somebody else by sudo. `docs/estate-sources.md` has the few lines of shell that write it:
//!
//! ```text
//! countersign-host 1 web1.example.com
//! == passwd
//!  ana:x:1000:1000::/home/ana:/bin/bash
//! == authorized_keys ana
//!  ssh-ed25519 AAAA… ana@laptop
//! == sudoers /etc/sudoers
//!  %sudo ALL=(ALL:ALL) ALL
//! == end
//! ```
//!
//! Each line of a file stands after one space, so that nothing in a file can look like the layout. Without its end a host was
//! cut off, and is refused.

mod keys;
mod sudoers;

use std::collections::{BTreeSet, HashMap, HashSet};

pub(crate) use self::keys::fingerprint;
use self::sudoers::{Alias, Aliases, Grant, Item, Line, Rule};
use super::document::Row;
use crate::batch::{Intake, System};
use crate::fault::{Cause, Fault};
use crate::observation::{Attributes, Kind, Moment, Place, Relation};

pub(crate) const BEGINNING: &str = "countersign-host ";

/// One file of a host: its lines with their numbers in the text.
struct Section<'t> {
    sort: &'t str,
    /// Whose keys these are, or where a file of sudo stood.
    of: &'t str,
    lines: Vec<(u64, &'t str)>,
}

type Failed = (Cause, Place);

pub(crate) fn read(text: &str, intake: &mut Intake<'_, '_>) -> Result<(), Fault> {
    hosts(text, intake).map_err(|(cause, place)| intake.fault(cause, Some(place)))
}

fn hosts(text: &str, intake: &mut Intake<'_, '_>) -> Result<(), Failed> {
    let mut open: Option<(&str, u64, Vec<Section<'_>>)> = None;
    let mut seen = HashSet::new();
    for (number, line) in (1..).zip(text.lines()) {
        let place = Place::Line(number);
        let failed = |what: &str| (Cause::malformed(what), place.clone());
        intake.record().map_err(|cause| (cause, place.clone()))?;
        if let Some(rest) = line.strip_prefix(BEGINNING) {
            if open.is_some() {
                return Err(failed("a host begins before the one above has ended"));
            }
            let name = match rest.split_once(' ') {
                Some(("1", name)) if !name.trim().is_empty() => name.trim(),
                Some(("1", _)) => return Err(failed("a host without a name")),
                _ => return Err(failed("a list of hosts of another version than 1")),
            };
            if !seen.insert(name.to_ascii_lowercase()) {
                return Err(failed("a host that stands twice"));
            }
            open = Some((name, number, Vec::new()));
        } else if let Some(rest) = line.strip_prefix("== ") {
            let Some((name, begin, mut sections)) = open.take() else { return Err(failed("a file of no host")) };
            if rest.trim() == "end" {
                let place = Place::Line(begin);
                Host::new(intake, name, &place)
                    .and_then(|mut host| host.take(&sections))
                    .map_err(|(cause, at)| (cause, at.unwrap_or(place)))?;
                continue;
            }
            let (sort, of) = rest.split_once(' ').unwrap_or((rest, ""));
            sections.push(Section { sort: sort.trim(), of: of.trim(), lines: Vec::new() });
            open = Some((name, begin, sections));
        } else if let Some((_, _, sections)) = &mut open {
            let section = sections.last_mut().ok_or_else(|| failed("a line of no file"))?;
            match line.strip_prefix(' ') {
                Some(line) => section.lines.push((number, line)),
                None if line.is_empty() => {}
                None => return Err(failed("a line that does not begin with a space")),
            }
        } else if !line.trim().is_empty() {
            return Err(failed("a line of no host"));
        }
    }
    match open {
        Some((_, begin, _)) => Err((Cause::malformed("a host without its end: it was cut off"), Place::Line(begin))),
        None => Ok(()),
    }
}

type FailedWithin = (Cause, Option<Place>);

struct Host<'i, 'a, 'w> {
    row: Row<'i, 'a, 'w>,
    /// In lower case, and the part before the first dot.
    name: String,
    own: u32,
    users_by_number: HashMap<u32, String>,
    groups_by_number: HashMap<u32, String>,
    aliases: Aliases,
    /// What is asked where a rule says nothing: whether for a password, and for that of root.
    asks_password: bool,
    asks_for_root: bool,
    made: HashSet<u32>,
}

impl<'i, 'a, 'w> Host<'i, 'a, 'w> {
    fn new(intake: &'i mut Intake<'a, 'w>, name: &str, place: &Place) -> Result<Self, FailedWithin> {
        let lower = name.to_ascii_lowercase();
        let part = intake.part(System::SshHost, &lower, "all").map_err(|cause| (cause, None))?;
        let mut row = Row { intake, part, place: place.clone() };
        let own = row.key(&format!("ssh:{lower}")).map_err(|cause| (cause, None))?;
        row.node(own, Kind::Device, name, Attributes::default()).map_err(|cause| (cause, None))?;
        Ok(Self {
            row,
            name: lower,
            own,
            users_by_number: HashMap::new(),
            groups_by_number: HashMap::new(),
            aliases: Aliases::default(),
            asks_password: true,
            asks_for_root: false,
            made: HashSet::new(),
        })
    }

    fn take(&mut self, sections: &[Section<'_>]) -> Result<(), FailedWithin> {
        for sort in ["group", "passwd", "authorized_keys"] {
            for section in sections.iter().filter(|section| section.sort == sort) {
                for (number, line) in &section.lines {
                    self.row.place = Place::Line(*number);
                    let taken = match sort {
                        "group" => self.group(line),
                        "passwd" => self.account(line),
                        _ => self.key(section.of, line),
                    };
                    taken.map_err(|cause| (cause, Some(Place::Line(*number))))?;
                }
            }
        }
        self.sudo(sections).map_err(|cause| (cause, Some(self.row.place.clone())))?;
        let known = ["group", "passwd", "authorized_keys", "sudoers"];
        for section in sections.iter().filter(|section| !known.contains(&section.sort)) {
            self.row.place = Place::Line(section.lines.first().map_or(0, |(number, _)| *number));
            self.row.skip("a file of a host that is not read");
        }
        Ok(())
    }

    fn user_key(&mut self, name: &str) -> Result<u32, Cause> {
        self.row.key(&format!("ssh:{}/user/{name}", self.name))
    }

    fn group_key(&mut self, name: &str) -> Result<u32, Cause> {
        self.row.key(&format!("ssh:{}/group/{name}", self.name))
    }

    /// `name:password:number:member,member`
    fn group(&mut self, line: &str) -> Result<(), Cause> {
        let mut fields = line.split(':');
        let (Some(name), Some(_), Some(number), members) = (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return self.unreadable(line);
        };
        let (false, Ok(number)) = (name.is_empty(), number.parse()) else { return self.unreadable(line) };
        let key = self.group_key(name)?;
        self.row.node(key, Kind::Group, &format!("{name} on {}", self.name), Attributes::default())?;
        self.groups_by_number.entry(number).or_insert_with(|| name.to_owned());
        for member in members.unwrap_or_default().split(',').map(str::trim).filter(|member| !member.is_empty()) {
            let member = self.user_key(member)?;
            self.row.edge(member, Relation::MemberOf, key);
        }
        Ok(())
    }

    fn unreadable(&mut self, line: &str) -> Result<(), Cause> {
        if !line.trim().is_empty() && !line.starts_with(['#', '+', '-']) {
            self.row.skip("a line that is no account or group");
        }
        Ok(())
    }

    /// `name:password:number:group:comment:home:shell`
    fn account(&mut self, line: &str) -> Result<(), Cause> {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, number, group, _, _, shell] = fields.as_slice() else { return self.unreadable(line) };
        let (Ok(number), Ok(group)) = (number.parse::<u32>(), group.parse::<u32>()) else {
            return self.unreadable(line);
        };
        if name.is_empty() {
            return self.unreadable(line);
        }
        let key = self.user_key(name)?;
        // Below 1000 are those that the system makes for itself; 65534 is nobody.
        let built_in = (number < 1000 || number == 65_534).then_some(true);
        let attributes = Attributes { account_name: self.row.text(Some(name))?, built_in, ..Attributes::default() };
        self.row.node(key, Kind::Account, &format!("{name} on {}", self.name), attributes)?;
        self.made.insert(key);
        self.users_by_number.entry(number).or_insert_with(|| (*name).to_owned());
        self.row.edge(self.own, Relation::Contains, key);
        if let Some(group) = self.groups_by_number.get(&group).cloned() {
            let group = self.group_key(&group)?;
            self.row.edge(key, Relation::MemberOf, group);
        }
        if number == 0 {
            self.row.edge(key, Relation::Administers, self.own);
        } else if !shell.ends_with("/nologin") && !shell.ends_with("/false") {
            self.row.edge(key, Relation::LogsOnTo, self.own);
        }
        Ok(())
    }

    fn key(&mut self, user: &str, line: &str) -> Result<(), Cause> {
        if user.is_empty() {
            return Err(Cause::malformed("keys that are nobody's: == authorized_keys USER"));
        }
        let entry = match keys::entry(line) {
            Ok(Some(entry)) => entry,
            Ok(None) => return Ok(()),
            Err(reason) => {
                self.row.skip(reason);
                return Ok(());
            }
        };
        let key = self.row.key(&format!("ssh-key:{}", entry.print))?;
        let name = if entry.comment.is_empty() { entry.print.as_str() } else { entry.comment };
        let expires = (!entry.ends).then_some(Moment::Never);
        self.row.node(key, Kind::Key, name, Attributes { expires, ..Attributes::default() })?;
        let account = self.user_key(user)?;
        match &entry.condition {
            Some(condition) => self.row.conditional(key, Relation::Assume, account, condition),
            None => {
                self.row.edge(key, Relation::Assume, account);
                Ok(())
            }
        }
    }

    fn sudo(&mut self, sections: &[Section<'_>]) -> Result<(), Cause> {
        let files: Vec<&Section<'_>> = sections.iter().filter(|section| section.sort == "sudoers").collect();
        let mut rules = Vec::new();
        for file in &files {
            for (number, text) in sudoers::logical(file.lines.iter().copied()) {
                self.row.place = Place::Line(number);
                match sudoers::line(&text) {
                    Line::Nothing => {}
                    Line::Unreadable => self.row.skip("a line of sudoers that is not understood"),
                    Line::Include { path, folder } => {
                        let beginning = format!("{}/", path.trim_end_matches('/'));
                        let here = |other: &&Section<'_>| {
                            if folder { other.of.starts_with(&beginning) } else { other.of == path }
                        };
                        if !files.iter().any(here) {
                            self.row.skip("an include of sudoers whose files are not there");
                        }
                    }
                    Line::Defaults { for_some: true, .. } => {
                        self.row.skip("a default of sudo for some users, hosts or commands only");
                    }
                    Line::Defaults { settings, .. } => self.defaults(&settings),
                    Line::Alias(alias, all) => {
                        for (name, items) in all {
                            if !self.aliases.define(alias, name, items) {
                                self.row.skip("an alias of sudo that is defined twice");
                            }
                        }
                    }
                    Line::Rules(all) => rules.extend(all.into_iter().map(|rule| (number, rule))),
                }
            }
        }
        for (number, rule) in rules {
            self.row.place = Place::Line(number);
            self.rule(&rule)?;
        }
        Ok(())
    }

    fn defaults(&mut self, settings: &str) {
        for setting in settings.split(',').map(str::trim) {
            match setting {
                "!authenticate" => self.asks_password = false,
                "authenticate" => self.asks_password = true,
                "rootpw" | "targetpw" | "runaspw" => self.asks_for_root = true,
                _ => {}
            }
        }
    }

    /// Whether the rule is for this host: the last name that fits counts. `None`: it cannot be told.
    fn here(&self, hosts: &[Item]) -> Option<bool> {
        let mut here = Some(false);
        for item in self.aliases.resolve(Alias::Host, hosts) {
            let name = item.name.to_ascii_lowercase();
            let short = self.name.split('.').next().unwrap_or_default();
            if name == "all" || name == self.name || name == short {
                here = Some(!item.negated);
            } else if name.contains(['*', '?', '[', '/', '+', ':']) || name.starts_with(|c: char| c.is_ascii_digit()) {
                here = None;
            }
        }
        here
    }

    fn rule(&mut self, rule: &Rule) -> Result<(), Cause> {
        let mut conditions = Vec::new();
        match self.here(&rule.hosts) {
            Some(true) => {}
            Some(false) => {
                self.row.skip("a rule of sudo for another host");
                return Ok(());
            }
            None => conditions.push("on hosts that the rule describes"),
        }
        let users = self.aliases.resolve(Alias::User, &rule.users);
        if users.iter().any(|item| item.negated) {
            conditions.push("unless the rule takes it out again");
        }
        let powers = self.powers(rule, &conditions)?;
        for item in users.iter().filter(|item| !item.negated) {
            let Some(holder) = self.principal(&item.name)? else { continue };
            for (relation, target, condition) in &powers {
                self.row.intake.record()?;
                match condition {
                    Some(condition) => self.row.conditional(holder, *relation, *target, condition)?,
                    None => self.row.edge(holder, *relation, *target),
                }
            }
        }
        Ok(())
    }

    /// Somebody in a list of users; `None`: it was counted why not.
    fn principal(&mut self, name: &str) -> Result<Option<u32>, Cause> {
        if name == "ALL" {
            let key = self.row.key(&format!("ssh:{}/every-account", self.name))?;
            if self.made.insert(key) {
                self.row.node(key, Kind::Group, &format!("every account on {}", self.name), Attributes::default())?;
                let mut users: Vec<String> = self.users_by_number.values().cloned().collect();
                users.sort();
                for user in users {
                    let user = self.user_key(&user)?;
                    self.row.edge(user, Relation::MemberOf, key);
                }
            }
            return Ok(Some(key));
        }
        let known = if let Some(number) = name.strip_prefix("%#") {
            let group = number.parse().ok().and_then(|number: u32| self.groups_by_number.get(&number).cloned());
            group.map(|group| self.group_key(&group)).transpose()?
        } else if name.starts_with("%:") || name.starts_with('+') {
            None
        } else if let Some(group) = name.strip_prefix('%') {
            Some(self.group_key(group)?)
        } else if let Some(number) = name.strip_prefix('#') {
            let user = number.parse().ok().and_then(|number: u32| self.users_by_number.get(&number).cloned());
            user.map(|user| self.user_key(&user)).transpose()?
        } else {
            Some(self.user_key(name)?)
        };
        if known.is_none() {
            self.row.skip("somebody in a rule of sudo whom the host's own files do not know");
        }
        Ok(known)
    }

    /// What a rule opens, each thing once.
    fn powers(
        &mut self,
        rule: &Rule,
        conditions: &[&'static str],
    ) -> Result<BTreeSet<(Relation, u32, Option<String>)>, Cause> {
        let mut powers = BTreeSet::new();
        let commands: Vec<Vec<Item>> = rule
            .grants
            .iter()
            .map(|grant| self.aliases.resolve(Alias::Command, std::slice::from_ref(&grant.command)))
            .collect();
        let forbids = commands.iter().flatten().any(|command| command.negated);
        for (grant, commands) in rule.grants.iter().zip(&commands) {
            let allowed: Vec<&Item> = commands.iter().filter(|command| !command.negated).collect();
            if allowed.is_empty() {
                self.row.skip("a command that a rule of sudo forbids");
                continue;
            }
            let everything = allowed.iter().any(|command| command.name == "ALL");
            let mut conditions = conditions.to_vec();
            if grant.asks_password.unwrap_or(self.asks_password) {
                conditions.push(if self.asks_for_root { "with the password of root" } else { "with its password" });
            }
            if !everything {
                conditions.push("for certain commands");
            } else if forbids {
                conditions.push("but for certain commands");
            }
            let until = grant.until.as_ref().map(|until| format!("until {until}"));
            let condition = conditions.iter().map(|it| (*it).to_owned()).chain(until).collect::<Vec<_>>().join(", ");
            let condition = (!condition.is_empty()).then_some(condition);
            for (relation, target) in self.targets(grant, everything)? {
                powers.insert((relation, target, condition.clone()));
            }
        }
        Ok(powers)
    }

    fn targets(&mut self, grant: &Grant, everything: bool) -> Result<Vec<(Relation, u32)>, Cause> {
        let root = if everything { Relation::Administers } else { Relation::Permits };
        let Some(users) = &grant.users else { return Ok(vec![(root, self.own)]) };
        let mut targets = Vec::new();
        for item in self.aliases.resolve(Alias::Runas, users).iter().filter(|item| !item.negated) {
            match item.name.as_str() {
                "ALL" | "root" | "#0" => targets.push((root, self.own)),
                name => {
                    if let Some(target) = self.principal(name)? {
                        targets.push((if everything { Relation::Assume } else { Relation::Permits }, target));
                    }
                }
            }
        }
        if users.is_empty() {
            self.row.skip("a rule of sudo that changes the group only");
        }
        Ok(targets)
    }
}

#[cfg(test)]
pub(crate) mod tests;
