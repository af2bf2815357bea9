//! One reading from beginning to end: sign in, ask what the server is, read what belongs to an estate, whole or what
//! changed since the last time.

use sha2::{Digest as _, Sha256};

use crate::account::Account;
use crate::address::Address;
use crate::entry::Entry;
use crate::filter::Filter;
use crate::limits::{Limits, ReadFault, Spent, Watch};
use crate::message::{Question, Scope};
use crate::mirror::{Mirror, Origin, one_line};
use crate::root::{ActiveDirectory, Root};
use crate::schema;
use crate::wire::{Authorities, Connection, Stream};

/// What is to be read, and by whom.
#[derive(Debug)]
pub struct Request<'a> {
    pub account: &'a Account,
    /// Where to read; empty: everything that the server says to hold.
    pub bases: &'a [String],
    /// What was read before: only what changed since is asked for, where the server can tell.
    pub before: Option<Mirror>,
    pub limits: Limits,
}

/// What was read.
#[derive(Debug)]
pub struct Reading {
    pub mirror: Mirror,
    pub how: How,
    /// Answers that pointed to another server. None was followed.
    pub referrals: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// Everything; and why, where changes had been asked for.
    Whole(Option<WhyWhole>),
    /// What changed, and what was not there any more.
    Changes { read: usize, gone: usize },
}

/// Why everything was read although something was known already.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WhyWhole {
    #[error("this server does not count its changes")]
    NotCounted,
    #[error("what is known was read from another server, by another account, elsewhere, or by another version")]
    OtherView,
    #[error("the controller's database is another one than it was, or was set back")]
    OtherDatabase,
    #[error("so much was moved that it is quicker")]
    MuchMoved,
}

/// Reads a directory at its address.
///
/// # Errors
/// When it cannot be reached or does not prove who it is, refuses, goes beyond a limit, or answers with anything but LDAP;
/// and when the watch says stop.
pub fn read(
    address: &Address,
    authorities: Option<&Authorities>,
    request: Request<'_>,
    watch: Watch<'_>,
) -> Result<Reading, ReadFault> {
    let connection = Connection::open(address, authorities, request.limits)?;
    collect(connection, &address.to_string(), request, watch)
}

/// The same over a stream that is there already, and that is as safe as it has to be.
///
/// # Errors
/// As [`read`].
pub fn read_over(
    stream: impl Stream,
    server: &str,
    request: Request<'_>,
    watch: Watch<'_>,
) -> Result<Reading, ReadFault> {
    collect(Connection::over(stream, request.limits), server, request, watch)
}

fn collect<S: Stream>(
    mut connection: Connection<S>,
    server: &str,
    request: Request<'_>,
    watch: Watch<'_>,
) -> Result<Reading, ReadFault> {
    let Request { account, bases, before, limits } = request;
    connection.bind(account)?;
    let mut spent = Spent::new(limits, watch);
    let root = Root::ask(&mut connection, &mut spent)?;
    let own: Vec<String> = match &root {
        Root::ActiveDirectory(directory) => directory.domain.iter().cloned().collect(),
        Root::Other { bases } => bases.clone(),
    };
    let bases = if bases.is_empty() { own } else { bases.to_vec() };
    if bases.is_empty() {
        return Err(ReadFault::NoBase);
    }
    let origin = Origin {
        server: one_line(server),
        account: one_line(&account.name),
        bases: bases.iter().map(|base| one_line(base)).collect(),
        asked: asked(&root),
    };
    let mut reader = Reader { connection, spent, bases };
    let (mirror, how) = match root {
        Root::ActiveDirectory(directory) => reader.active_directory(&directory, origin, before)?,
        Root::Other { .. } => {
            let how = How::Whole(before.is_some().then_some(WhyWhole::NotCounted));
            (reader.other(Mirror::new(origin, None))?, how)
        }
    };
    let Reader { connection, spent, bases } = reader;
    connection.close();
    if mirror.is_empty() {
        return Err(ReadFault::NothingSeen { base: bases.join(" and ") });
    }
    Ok(Reading { mirror, how, referrals: spent.referrals })
}

/// The names of all that is asked of a directory of this kind.
fn asked(root: &Root) -> String {
    let names = match root {
        Root::ActiveDirectory(_) => format!("{:?}{:?}", schema::ACTIVE_DIRECTORY, schema::of_domain()),
        Root::Other { .. } => format!("{:?}{:?}", schema::OTHER, schema::of_others()),
    };
    hex::encode(Sha256::digest(names))
}

/// A server that is being read.
pub(crate) struct Reader<'a, S> {
    pub(crate) connection: Connection<S>,
    pub(crate) spent: Spent<'a>,
    pub(crate) bases: Vec<String>,
}

impl<S: Stream> Reader<'_, S> {
    fn active_directory(
        &mut self,
        directory: &ActiveDirectory,
        origin: Origin,
        before: Option<Mirror>,
    ) -> Result<(Mirror, How), ReadFault> {
        let empty = Mirror::new(origin, directory.changes.clone());
        let known: Vec<String> = before.iter().flat_map(|before| before.entries.keys().cloned()).collect();
        let (mut mirror, mut how) = match before.map(|before| (since(&before, &empty), before)) {
            None => (self.whole(empty)?, How::Whole(None)),
            Some((Err(why), _)) => (self.whole(empty)?, How::Whole(Some(why))),
            Some((Ok(since), before)) => match self.refresh(before, since, empty.clone())? {
                Some((mirror, read)) => (mirror, How::Changes { read, gone: 0 }),
                None => (self.whole(empty)?, How::Whole(Some(WhyWhole::MuchMoved))),
            },
        };
        if !mirror.is_empty() {
            self.beside(directory, &mut mirror)?;
            self.passwords(&mut mirror)?;
        }
        if let How::Changes { gone, .. } = &mut how {
            *gone = known.iter().filter(|id| !mirror.entries.contains_key(*id)).count();
        }
        Ok((mirror, how))
    }

    fn whole(&mut self, mut mirror: Mirror) -> Result<Mirror, ReadFault> {
        for base in self.bases.clone() {
            self.spent.begin(&base)?;
            self.objects(&base, &schema::of_domain(), &mut |entry| mirror.insert(entry))?;
        }
        Ok(mirror)
    }

    /// Entries below `base`, with all that an estate takes of them.
    pub(crate) fn objects(
        &mut self,
        base: &str,
        filter: &Filter,
        take: &mut dyn FnMut(Entry),
    ) -> Result<(), ReadFault> {
        let question = Question {
            base,
            scope: Scope::Subtree,
            filter,
            attributes: schema::ACTIVE_DIRECTORY,
            names_only: false,
            descriptors: true,
        };
        self.connection.search(&mut self.spent, &question, take)
    }

    /// Certificate services and what the schema says of devices' passwords: small, and read anew each time.
    fn beside(&mut self, directory: &ActiveDirectory, mirror: &mut Mirror) -> Result<(), ReadFault> {
        if let Some(configuration) = &directory.configuration {
            let base = format!("CN=Public Key Services,CN=Services,{configuration}");
            self.spent.begin(&base)?;
            self.objects(&base, &schema::of_certificates(), &mut |entry| mirror.insert(entry))?;
        }
        if let Some(base) = &directory.schema {
            self.spent.begin(base)?;
            let question = Question {
                base,
                scope: Scope::Subtree,
                filter: &schema::of_schema(),
                attributes: schema::OF_SCHEMA,
                names_only: false,
                descriptors: false,
            };
            self.connection.search(&mut self.spent, &question, &mut |entry| mirror.insert(entry))?;
        }
        Ok(())
    }

    /// Marks entries that have a readable password. The passwords stay where they are.
    fn passwords(&mut self, mirror: &mut Mirror) -> Result<(), ReadFault> {
        let mut marked = Vec::new();
        for base in self.bases.clone() {
            self.spent.begin("passwords that can be read")?;
            let question = Question {
                base: &base,
                scope: Scope::Subtree,
                filter: &schema::with_passwords(),
                attributes: schema::PASSWORDS,
                names_only: true,
                descriptors: false,
            };
            self.connection.search(&mut self.spent, &question, &mut |entry| marked.push(entry))?;
        }
        marked.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        for entry in mirror.entries.values_mut() {
            for name in schema::PASSWORDS {
                entry.attributes.remove(&name.to_ascii_lowercase());
            }
            if let Ok(place) = marked.binary_search_by(|marked| marked.name.cmp(&entry.name))
                && let Some(marked) = marked.get(place)
            {
                entry.attributes.extend(marked.attributes.keys().map(|name| (name.clone(), vec![Vec::new()])));
            }
        }
        Ok(())
    }

    fn other(&mut self, mut mirror: Mirror) -> Result<Mirror, ReadFault> {
        for base in self.bases.clone() {
            self.spent.begin(&base)?;
            let question = Question {
                base: &base,
                scope: Scope::Subtree,
                filter: &schema::of_others(),
                attributes: schema::OTHER,
                names_only: false,
                descriptors: false,
            };
            self.connection.search(&mut self.spent, &question, &mut |entry| mirror.insert(entry))?;
        }
        Ok(mirror)
    }
}

/// From which change on, if what was read before can be gone on from.
fn since(before: &Mirror, now: &Mirror) -> Result<u64, WhyWhole> {
    let (Some((known, since)), Some((database, newest))) = (&before.changes, &now.changes) else {
        return Err(WhyWhole::NotCounted);
    };
    if before.origin != now.origin {
        return Err(WhyWhole::OtherView);
    }
    if known != database || newest < since { Err(WhyWhole::OtherDatabase) } else { Ok(*since) }
}
