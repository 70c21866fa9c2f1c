//! What was derived from the evidence, in SQLite: sensors and their keys, tokens, the index of the log, findings.
//!
//! Reads are on [`Rows`]; writes are on [`Write`], a transaction that is immediate (so it waits for other writers at its beginning
//! and cannot fail for them later) and durable when [`Write::commit`] returns.

mod batches;
mod findings;
mod sensors;
mod tokens;

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};
use uuid::Uuid;

pub use batches::{BatchPlace, NewBatch};
pub use findings::StoredFinding;
pub use sensors::{NewSensor, SensorRow};
pub use tokens::TokenRow;

use super::StoreError;
use crate::regular;

/// How long a write waits for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long between two tries where SQLite does not wait itself.
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// What makes each version of the one before; the first of an empty database.
const STEPS: &[&str] = &[include_str!("../../../migrations/0001-first.sql")];
/// What `user_version` is after all of them.
const VERSION: i64 = 1;

/// Memory for pages of the database, in KiB.
const CACHE_KIB: i64 = 16 << 10;

/// Pages in the log of changes, of 4 KiB, before they are brought into the database.
const CHECKPOINT_PAGES: i64 = 4_096;

/// A connection to the database.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
}

impl Database {
    /// Opens it for writing, makes it where it is not there, and brings it up to date.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        make(path).map_err(StoreError::io("open", path))?;
        let open = || -> rusqlite::Result<Connection> {
            let connection = Connection::open(path)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            set_wal(&connection)?;
            // FULL: a commit is on disk when it returns, so a burnt token stays burnt.
            connection.pragma_update(None, "synchronous", "full")?;
            connection.pragma_update(None, "foreign_keys", "on")?;
            // Ids of findings are hashes, so each lands on another page of their index: with many findings a small cache is written and read
            // anew for every one, and so is what goes from the log of changes into the database.
            connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
            connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
            Ok(connection)
        };
        let mut connection = open().map_err(StoreError::opening(path))?;
        bring_up_to_date(&mut connection, path)?;
        Ok(Self { connection })
    }

    /// Opens it for reading; works while another process writes.
    pub fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        regular::check(path).map_err(StoreError::io("open", path))?;
        let open = || -> rusqlite::Result<Connection> {
            let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            Ok(connection)
        };
        let connection = open().map_err(StoreError::opening(path))?;
        let found = version(&connection).map_err(StoreError::opening(path))?;
        if found != VERSION {
            return Err(StoreError::Version {
                found,
                known: VERSION,
            });
        }
        Ok(Self { connection })
    }

    /// Reads.
    #[must_use]
    pub fn rows(&self) -> Rows<'_> {
        Rows {
            connection: &self.connection,
        }
    }

    /// Begins a write.
    pub fn write(&mut self) -> Result<Write<'_>, StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate);
        Ok(Write {
            transaction: transaction.map_err(StoreError::sqlite("begin a write"))?,
        })
    }
}

/// What is in the database.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'c> {
    connection: &'c Connection,
}

/// A write that is not there until it is committed; dropped, it never was.
#[derive(Debug)]
pub struct Write<'c> {
    transaction: Transaction<'c>,
}

impl Write<'_> {
    /// Reads, with this write's changes.
    #[must_use]
    pub fn rows(&self) -> Rows<'_> {
        Rows {
            connection: &self.transaction,
        }
    }

    /// Makes it durable.
    pub fn commit(self) -> Result<(), StoreError> {
        self.transaction.commit().map_err(StoreError::sqlite("commit"))
    }
}

/// Makes the file where it is not there. SQLite gives its other files the mode of this one.
///
/// One that is there is not opened: to close it would give up the locks that other connections of this process have on it, and
/// another process would then take itself for the last, which may remove the journal that they write to.
fn make(path: &Path) -> io::Result<()> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => regular::check(path),
        made => made.map(drop),
    }
}

/// Has changes go to a log. Where another opening does the same SQLite does not wait for it by itself.
fn set_wal(connection: &Connection) -> rusqlite::Result<()> {
    let begun = Instant::now();
    loop {
        match connection.pragma_update(None, "journal_mode", "wal") {
            Err(why)
                if why.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && begun.elapsed() < BUSY_TIMEOUT =>
            {
                std::thread::sleep(BUSY_PAUSE);
            }
            set => return set,
        }
    }
}

/// Takes the steps that are missing, all or none. Looked at and done within one write, for which other openings wait: of two that come at once to a
/// database that is not made yet, one makes it.
fn bring_up_to_date(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let opening = || StoreError::opening(path);
    // Without a write where there is nothing to do: whoever only looks does not wait for one who writes.
    let found = version(connection).map_err(opening())?;
    if found == VERSION {
        return Ok(());
    }
    let write = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(opening())?;
    let found = version(&write).map_err(opening())?;
    let missing = usize::try_from(found)
        .ok()
        .and_then(|found| STEPS.get(found..))
        .ok_or(StoreError::Version {
            found,
            known: VERSION,
        })?;
    for step in missing {
        write.execute_batch(step).map_err(StoreError::Migration)?;
    }
    write
        .pragma_update(None, "user_version", VERSION)
        .map_err(StoreError::Migration)?;
    write.commit().map_err(opening())
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn to_us(time: Timestamp) -> i64 {
    time.as_microsecond()
}

fn from_us(microseconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(microseconds).map_err(|_| StoreError::Garbled { what: "time" })
}

fn to_uuid(text: &str) -> Result<Uuid, StoreError> {
    Uuid::parse_str(text).map_err(|_| StoreError::Garbled { what: "id" })
}

/// SQLite's integers end where `i64` does; all that is stored was checked to fit, or cannot grow so far.
fn to_i64(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Garbled { what: "number" })
}

fn to_u64(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::Garbled { what: "number" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_sound_and_counted() {
        assert_eq!(i64::try_from(STEPS.len()), Ok(VERSION));
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("detector.db");
        let database = Database::open(&path).expect("opens");
        assert_eq!(version(&database.connection).expect("reads"), VERSION);
        Database::open_to_read(&path).expect("opens");
    }

    #[test]
    fn openings_that_come_at_once_to_one_that_is_not_there_make_it_once() {
        for round in 0..20 {
            let directory = tempfile::tempdir().expect("a directory");
            let path = directory.path().join("detector.db");
            let together = std::sync::Barrier::new(6);
            std::thread::scope(|scope| {
                for _ in 0..6 {
                    scope.spawn(|| {
                        together.wait();
                        Database::open(&path).unwrap_or_else(|why| panic!("round {round}: {why:?}"));
                    });
                }
            });
        }
    }

    #[test]
    fn another_opening_leaves_the_locks_of_the_first_alone() {
        use std::os::unix::fs::MetadataExt as _;
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("detector.db");
        let _first = Database::open(&path).expect("opens");
        let inode = std::fs::metadata(&path).expect("is there").ino();
        let is_locked = || {
            let locks = std::fs::read_to_string("/proc/locks").expect("reads");
            locks.contains(&format!(":{inode} "))
        };
        assert!(is_locked(), "other processes see that it is in use");
        drop(Database::open(&path).expect("opens"));
        assert!(is_locked());
        drop(Database::open_to_read(&path).expect("opens"));
        assert!(is_locked());
    }

    #[test]
    fn a_newer_database_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("detector.db");
        let database = Database::open(&path).expect("opens");
        database
            .connection
            .pragma_update(None, "user_version", 99)
            .expect("updates");
        drop(database);
        for result in [Database::open(&path), Database::open_to_read(&path)] {
            let Err(StoreError::Version { found, known }) = result else {
                panic!("{result:?}")
            };
            assert_eq!((found, known), (99, VERSION));
        }
    }
}
