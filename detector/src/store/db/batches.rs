//! The index of the evidence log.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};

use super::{Rows, StoreError, Write, from_us, to_i64, to_u64, to_us, to_uuid};
use crate::store::log::Position;
use crate::verify::chain::Stored;
use crate::verify::{Header, SensorId};

/// A batch that is in the log and is to be indexed.
#[derive(Clone, Copy, Debug)]
pub struct NewBatch<'a> {
    /// What it is.
    pub header: &'a Header,
    /// Where its record begins.
    pub position: Position,
    /// When it was stored.
    pub stored: Timestamp,
}

/// Where a batch is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchPlace {
    /// Its number here, counting in the order of storing.
    pub number: i64,
    /// Whose it is.
    pub sensor: SensorId,
    /// Where its record begins.
    pub position: Position,
    /// How many events it holds.
    pub events: u64,
    /// When it was stored.
    pub stored: Timestamp,
}

type RawPlace = (i64, String, i64, i64, i64, i64, i64);

const PLACES: &str =
    "SELECT number, sensor, segment, offset, first_sequence, last_sequence, stored_us FROM batches";

fn raw(row: &Row<'_>) -> rusqlite::Result<RawPlace> {
    Ok((
        row.get(0)?,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
        row.get(5)?,
        row.get(6)?,
    ))
}

fn parse((number, sensor, segment, offset, first, last, stored): RawPlace) -> Result<BatchPlace, StoreError> {
    Ok(BatchPlace {
        number,
        sensor: SensorId(to_uuid(&sensor)?),
        position: Position {
            segment: to_u64(segment)?,
            offset: to_u64(offset)?,
        },
        events: to_u64(last - first + 1)?,
        stored: from_us(stored)?,
    })
}

impl Rows<'_> {
    /// What is stored of this sensor and boot that overlaps with a header's sequences.
    pub fn overlapping(&self, header: &Header) -> Result<Option<Stored>, StoreError> {
        const READ: &str = "look for a batch";
        let mut query = self
            .connection
            .prepare_cached(
                // Stored batches never overlap, so the one that begins last decides.
                "SELECT first_sequence, last_sequence, digest FROM batches
                 WHERE sensor = ?1 AND boot = ?2 AND first_sequence <= ?3 ORDER BY first_sequence DESC LIMIT 1",
            )
            .map_err(StoreError::sqlite(READ))?;
        let found: Option<(i64, i64, [u8; 32])> = query
            .query_row(
                params![
                    header.sensor.to_string(),
                    header.boot.to_string(),
                    to_i64(header.last_sequence)?
                ],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .optional()
            .map_err(StoreError::sqlite(READ))?;
        let Some((first, last, digest)) = found else {
            return Ok(None);
        };
        let stored = Stored {
            first_sequence: to_u64(first)?,
            last_sequence: to_u64(last)?,
            digest,
        };
        Ok((stored.last_sequence >= header.first_sequence).then_some(stored))
    }

    /// Whether a fork of that digest is kept.
    pub fn has_fork(&self, digest: &[u8; 32]) -> Result<bool, StoreError> {
        self.connection
            .query_row(
                "SELECT EXISTS (SELECT 1 FROM forks WHERE digest = ?1)",
                [digest],
                |row| row.get(0),
            )
            .map_err(StoreError::sqlite("look for a fork"))
    }

    /// Up to where the log is indexed.
    pub fn progress(&self) -> Result<Position, StoreError> {
        let row = self
            .connection
            .query_row("SELECT segment, offset FROM progress", [], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
            });
        let (segment, offset) = row.map_err(StoreError::sqlite("read the progress"))?;
        Ok(Position {
            segment: to_u64(segment)?,
            offset: to_u64(offset)?,
        })
    }

    /// Batches before a number, newest first.
    pub fn batches_before(&self, number: i64, limit: u32) -> Result<Vec<BatchPlace>, StoreError> {
        self.places(
            &format!("{PLACES} WHERE number < ?1 ORDER BY number DESC LIMIT ?2"),
            number,
            limit,
        )
    }

    /// Batches after a number, oldest first.
    pub fn batches_after(&self, number: i64, limit: u32) -> Result<Vec<BatchPlace>, StoreError> {
        self.places(
            &format!("{PLACES} WHERE number > ?1 ORDER BY number LIMIT ?2"),
            number,
            limit,
        )
    }

    fn places(&self, query: &str, number: i64, limit: u32) -> Result<Vec<BatchPlace>, StoreError> {
        const READ: &str = "read the index";
        let mut query = self
            .connection
            .prepare_cached(query)
            .map_err(StoreError::sqlite(READ))?;
        let rows = query
            .query_map(params![number, limit], raw)
            .map_err(StoreError::sqlite(READ))?;
        rows.map(|row| parse(row.map_err(StoreError::sqlite(READ))?))
            .collect()
    }
}

impl Write<'_> {
    /// Indexes a batch.
    pub fn add_batch(&self, batch: NewBatch<'_>) -> Result<(), StoreError> {
        let header = batch.header;
        let (first, last) = (to_i64(header.first_sequence)?, to_i64(header.last_sequence)?);
        let (segment, offset) = (to_i64(batch.position.segment)?, to_i64(batch.position.offset)?);
        self.transaction
            .prepare_cached(
                "INSERT INTO batches (sensor, boot, first_sequence, last_sequence, digest, segment, offset, stored_us)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    header.sensor.to_string(),
                    header.boot.to_string(),
                    first,
                    last,
                    header.digest,
                    segment,
                    offset,
                    to_us(batch.stored)
                ])
            })
            .map_err(StoreError::sqlite("index a batch"))?;
        Ok(())
    }

    /// Notes where a fork is kept.
    pub fn add_fork(&self, fork: NewBatch<'_>) -> Result<(), StoreError> {
        let (segment, offset) = (to_i64(fork.position.segment)?, to_i64(fork.position.offset)?);
        self.transaction
            .execute(
                "INSERT OR IGNORE INTO forks (digest, sensor, segment, offset, stored_us) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![fork.header.digest, fork.header.sensor.to_string(), segment, offset, to_us(fork.stored)],
            )
            .map_err(StoreError::sqlite("note a fork"))?;
        Ok(())
    }

    /// Notes up to where the log is indexed.
    pub fn set_progress(&self, end: Position) -> Result<(), StoreError> {
        let (segment, offset) = (to_i64(end.segment)?, to_i64(end.offset)?);
        self.transaction
            .prepare_cached("UPDATE progress SET segment = ?1, offset = ?2")
            .and_then(|mut update| update.execute(params![segment, offset]))
            .map_err(StoreError::sqlite("note the progress"))?;
        Ok(())
    }
}
