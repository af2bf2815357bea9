//! The embedded store: one SQLite file in WAL mode, fully synchronous, with foreign keys. One connection writes, one
//! reads; what they run is in [`write`] and [`read`], how a row becomes a model type in [`row`].

mod read;
mod row;
mod write;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use countersign_model::{Device, Exception, Group, Resource, Review, Segment, Subject, SubjectId, Timestamp};
use parking_lot::{Mutex, MutexGuard};
use refinery::{Migration, Runner};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::{
    Change, Hash, KeyRecord, LinkRecord, PasskeyRecord, RiskRecord, SessionRecord, Store, StoreError, TokenRecord,
};

/// Appended to, never edited: an applied migration is checked against its text.
const MIGRATIONS: [(&str, &str); 4] = [
    ("V1__initial", include_str!("../migrations/V1__initial.sql")),
    ("V2__observe", include_str!("../migrations/V2__observe.sql")),
    ("V3__exceptions", include_str!("../migrations/V3__exceptions.sql")),
    ("V4__reviews", include_str!("../migrations/V4__reviews.sql")),
];

/// `CSGN`, in the file's header: tells a Countersign store from any other SQLite file.
const APPLICATION_ID: i32 = 0x4353_474e;

#[derive(Debug)]
pub struct SqliteStore {
    writer: Mutex<Connection>,
    /// Absent in memory, where there is nothing to share.
    reader: Option<Mutex<Connection>>,
}

impl SqliteStore {
    /// Opens the store at `path`, or makes it, and brings its schema up to date. The file is readable by its owner
    /// only; SQLite gives its side files the same mode.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let file = |source| StoreError::File { path: path.to_owned(), source };
        let made = OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(file)?;
        made.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(file)?;
        drop(made);
        let mut writer = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        prepare(&mut writer, path)?;
        let reader = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        configure(&reader)?;
        Ok(Self { writer: Mutex::new(writer), reader: Some(Mutex::new(reader)) })
    }

    /// A store that is gone when dropped.
    pub fn in_memory() -> Result<Self, StoreError> {
        let mut writer = Connection::open_in_memory()?;
        prepare(&mut writer, Path::new("the store in memory"))?;
        Ok(Self { writer: Mutex::new(writer), reader: None })
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.as_ref().unwrap_or(&self.writer).lock()
    }
}

fn configure(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Checks what the file is before touching it, then migrates. A crash within a migration leaves the former schema:
/// each is one transaction, and the next start runs it again.
fn prepare(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    configure(connection)?;
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && (application != 0 || tables != 0) {
        return Err(StoreError::NotAStore { path: path.to_owned() });
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    migrate(connection)
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let migrations =
        MIGRATIONS.iter().map(|(name, sql)| Migration::unapplied(name, sql)).collect::<Result<Vec<_>, _>>();
    let migrations = migrations.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let known = migrations.iter().map(Migration::version).max().unwrap_or_default();
    let found = schema_version(connection)?;
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    Runner::new(&migrations).run(connection).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok(())
}

/// 0 for an empty file.
fn schema_version(connection: &Connection) -> Result<i32, StoreError> {
    let exists = connection.table_exists(None, "refinery_schema_history")?;
    if !exists {
        return Ok(0);
    }
    let version = connection
        .query_row("SELECT coalesce(max(version), 0) FROM refinery_schema_history", [], |row| row.get::<_, i32>(0))?;
    Ok(version)
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ffi::{SQLITE_CONSTRAINT_FOREIGNKEY, SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
        let code = error.sqlite_error().map(|e| (e.code, e.extended_code));
        match code {
            Some((_, SQLITE_CONSTRAINT_FOREIGNKEY)) => Self::Missing(error.to_string()),
            Some((_, SQLITE_CONSTRAINT_PRIMARYKEY | SQLITE_CONSTRAINT_UNIQUE)) => Self::Conflict(error.to_string()),
            Some((ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _)) => Self::Corrupt(error.to_string()),
            _ => match error {
                rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::InvalidColumnType(..) => {
                    Self::Corrupt(error.to_string())
                }
                other => Self::Unavailable(other.to_string()),
            },
        }
    }
}

/// Copies every page of `from` over `to` within one transaction on either side.
fn copy(from: &Connection, to: &mut Connection) -> Result<(), StoreError> {
    match Backup::new(from, to)?.step(-1)? {
        StepResult::Done => Ok(()),
        _ => Err(StoreError::Unavailable("another process holds the store".to_owned())),
    }
}

fn check_integrity(connection: &Connection) -> Result<(), StoreError> {
    let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" { Ok(()) } else { Err(StoreError::Corrupt(verdict)) }
}

impl Store for SqliteStore {
    fn commit(&self, changes: &[Change]) -> Result<(), StoreError> {
        let mut writer = self.writer.lock();
        let transaction = writer.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        // Falls back to off at the end of the transaction by itself.
        transaction.pragma_update(None, "defer_foreign_keys", true)?;
        for change in changes {
            write::apply(&transaction, change)?;
        }
        transaction.commit()?;
        Ok(())
    }

    fn each_subject(&self, visit: &mut dyn FnMut(Subject)) -> Result<(), StoreError> {
        read::subjects(&self.reader(), visit)
    }

    fn each_device(&self, visit: &mut dyn FnMut(Device)) -> Result<(), StoreError> {
        read::devices(&self.reader(), visit)
    }

    fn each_risk(&self, visit: &mut dyn FnMut(RiskRecord)) -> Result<(), StoreError> {
        read::risks(&self.reader(), visit)
    }

    fn each_session(&self, visit: &mut dyn FnMut(SessionRecord)) -> Result<(), StoreError> {
        read::sessions(&self.reader(), visit)
    }

    fn groups(&self) -> Result<Vec<Group>, StoreError> {
        read::groups(&self.reader())
    }

    fn segments(&self) -> Result<Vec<Segment>, StoreError> {
        read::segments(&self.reader())
    }

    fn resources(&self) -> Result<Vec<Resource>, StoreError> {
        read::resources(&self.reader())
    }

    fn exceptions(&self) -> Result<Vec<Exception>, StoreError> {
        read::exceptions(&self.reader())
    }

    fn reviews(&self) -> Result<Vec<Review>, StoreError> {
        read::reviews(&self.reader())
    }

    fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        read::keys(&self.reader())
    }

    fn passkey(&self, credential: &str) -> Result<Option<PasskeyRecord>, StoreError> {
        read::passkey(&self.reader(), credential)
    }

    fn passkeys_of(&self, subject: &SubjectId) -> Result<Vec<PasskeyRecord>, StoreError> {
        read::passkeys_of(&self.reader(), subject)
    }

    fn token(&self, hash: &Hash, now: Timestamp) -> Result<Option<TokenRecord>, StoreError> {
        read::token(&self.reader(), hash, now)
    }

    fn tokens(&self, now: Timestamp) -> Result<Vec<TokenRecord>, StoreError> {
        read::tokens(&self.reader(), now)
    }

    fn link(&self, issuer: &str, provider_subject: &str) -> Result<Option<LinkRecord>, StoreError> {
        read::link(&self.reader(), issuer, provider_subject)
    }

    fn links_of(&self, subject: &SubjectId) -> Result<Vec<LinkRecord>, StoreError> {
        read::links_of(&self.reader(), subject)
    }

    fn blob(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        read::blob(&self.reader(), name)
    }

    /// Writes beside `to` first: a crash leaves `to.partial`, which the next backup replaces, and never half a `to`.
    fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let file = |source| StoreError::File { path: to.to_owned(), source };
        if to.try_exists().map_err(file)? {
            return Err(StoreError::Exists { path: to.to_owned() });
        }
        let partial = with_suffix(to, ".partial");
        remove_if_there(&partial).map_err(file)?;
        OpenOptions::new().create_new(true).write(true).mode(0o600).open(&partial).map_err(file)?;
        {
            let mut copied = Connection::open_with_flags(&partial, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            copy(&self.reader(), &mut copied)?;
            // A backup is one file: without this, reading it would make a side file next to it.
            copied.pragma_update(None, "journal_mode", "DELETE")?;
            check_integrity(&copied)?;
        }
        File::open(&partial).and_then(|copied| copied.sync_all()).map_err(file)?;
        // A hard link fails where `to` has come into being meanwhile; a rename would overwrite it.
        std::fs::hard_link(&partial, to).map_err(file)?;
        std::fs::remove_file(&partial).map_err(file)?;
        let directory = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(file)
    }

    fn restore(&self, from: &Path) -> Result<(), StoreError> {
        let file = |source| StoreError::File { path: from.to_owned(), source };
        File::open(from).map_err(file)?;
        let backup = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let application: i32 = backup.pragma_query_value(None, "application_id", |row| row.get(0))?;
        if application != APPLICATION_ID {
            return Err(StoreError::NotAStore { path: from.to_owned() });
        }
        check_integrity(&backup)?;
        let known = i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX);
        let found = schema_version(&backup)?;
        if found > known {
            return Err(StoreError::NewerSchema { found, known });
        }
        let mut writer = self.writer.lock();
        copy(&backup, &mut writer)?;
        prepare(&mut writer, from)
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
