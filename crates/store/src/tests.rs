#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]
//! What only the SQLite store can do wrong: files, modes, migrations, backups.

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign_model::{Source, Subject, SubjectId, SubjectState, Timestamp};

use crate::{Change, SqliteStore, Store, StoreError, conformance};

fn subject(number: usize) -> Change {
    Change::PutSubject(Subject {
        id: SubjectId::human(&format!("person-{number:07}")).unwrap(),
        display_name: "Somebody".to_owned(),
        email: None,
        owner: None,
        acts_for: None,
        state: SubjectState::Active,
        groups: Vec::new(),
        source: Source::Configuration,
        created: Timestamp::from_seconds(1),
        last_used: None,
    })
}

fn count(store: &dyn Store) -> usize {
    let mut count = 0;
    store.each_subject(&mut |_| count += 1).unwrap();
    count
}

#[test]
fn conforms_in_memory() {
    conformance::run(&|| Box::new(SqliteStore::in_memory().unwrap()));
}

#[test]
fn conforms_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let number = std::cell::Cell::new(0);
    conformance::run(&|| {
        number.set(number.get() + 1);
        Box::new(SqliteStore::open(&directory.path().join(number.get().to_string())).unwrap())
    });
}

#[test]
fn what_is_committed_is_there_after_a_restart_and_for_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    std::fs::write(&path, "").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    store.commit(&[subject(1)]).unwrap();
    for file in std::fs::read_dir(&directory).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.path());
    }
    drop(store);
    assert_eq!(count(&SqliteStore::open(&path).unwrap()), 1);
}

#[test]
fn a_foreign_a_damaged_and_a_newer_file_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("text"), "this is no database, whatever its name says".repeat(100)).unwrap();
    assert!(matches!(SqliteStore::open(&path("text")), Err(StoreError::Corrupt(_))));

    let foreign = rusqlite::Connection::open(path("foreign")).unwrap();
    foreign.execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(matches!(SqliteStore::open(&path("foreign")), Err(StoreError::NotAStore { .. })));

    drop(SqliteStore::open(&path("newer")).unwrap());
    let newer = rusqlite::Connection::open(path("newer")).unwrap();
    let later = "INSERT INTO refinery_schema_history VALUES (999, 'later', '2026-01-01T00:00:00Z', '1')";
    newer.execute_batch(later).unwrap();
    let Err(StoreError::NewerSchema { found: 999, known }) = SqliteStore::open(&path("newer")) else {
        panic!("a newer schema has to be refused");
    };
    assert!(known < 999);
    let error = SqliteStore::in_memory().unwrap().restore(&path("newer"));
    assert!(matches!(error, Err(StoreError::NewerSchema { .. })));
}

#[test]
fn a_value_that_cannot_be_read_is_damage_and_not_a_default() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = SqliteStore::open(&path).unwrap();
    store.commit(&[subject(1)]).unwrap();
    let beside = rusqlite::Connection::open(&path).unwrap();
    beside.execute_batch("UPDATE subjects SET state = 'almighty'").unwrap();
    assert!(matches!(store.each_subject(&mut |_| ()), Err(StoreError::Corrupt(_))));
}

#[test]
fn a_backup_taken_while_writing_is_whole_and_can_be_restored() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&directory.path().join("store")).unwrap();
    store.commit(&(0..50).map(subject).collect::<Vec<_>>()).unwrap();
    let to = directory.path().join("backup");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 50;
            while !done.load(Ordering::Relaxed) {
                // Two in one commit: a backup has both or neither.
                store.commit(&[subject(number), subject(number + 1)]).unwrap();
                number += 2;
            }
        });
        let outcome = store.backup(&to);
        done.store(true, Ordering::Relaxed);
        outcome.unwrap();
    });
    assert_eq!(std::fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(store.backup(&to), Err(StoreError::Exists { .. })));

    let before = count(&SqliteStore::open(&to).unwrap());
    assert!(before >= 50 && before.is_multiple_of(2), "{before}");
    let other = SqliteStore::open(&directory.path().join("other")).unwrap();
    other.commit(&[Change::PutBlob { name: "mine".to_owned(), value: vec![1] }]).unwrap();
    other.restore(&to).unwrap();
    assert_eq!((count(&other), other.blob("mine").unwrap()), (before, None));
    other.commit(&[subject(9_999_999)]).unwrap();
    drop(other);
    assert_eq!(count(&SqliteStore::open(&directory.path().join("other")).unwrap()), before + 1);
}

#[test]
fn what_is_no_backup_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&directory.path().join("store")).unwrap();
    store.commit(&[subject(1)]).unwrap();
    let text = directory.path().join("text");
    std::fs::write(&text, "not a database".repeat(200)).unwrap();
    assert!(store.restore(&text).is_err());
    assert!(store.restore(&directory.path().join("absent")).is_err());
    assert_eq!(count(&store), 1);
}

#[test]
fn migrations_are_only_appended() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    drop(SqliteStore::open(&path).unwrap());
    let connection = rusqlite::Connection::open(&path).unwrap();
    let applied: Vec<(i32, String)> = connection
        .prepare("SELECT version, name FROM refinery_schema_history ORDER BY version")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let names = ["initial", "observe", "exceptions", "reviews"];
    assert_eq!(applied, (1..).zip(names.map(str::to_owned)).collect::<Vec<_>>());
    // A migration whose text was changed after it had been applied somewhere is refused there.
    connection.execute_batch("UPDATE refinery_schema_history SET checksum = '1'").unwrap();
    drop(connection);
    assert!(matches!(SqliteStore::open(&path), Err(StoreError::Corrupt(_))));
}
