//! Findings, in the order of storing.

use claviger_proto::v1::Finding;
use prost::Message as _;
use rusqlite::params;

use super::{Rows, StoreError, Write};

/// A finding and its number here, counting in the order of storing.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredFinding {
    /// Its number.
    pub number: i64,
    /// The finding.
    pub finding: Finding,
}

impl Rows<'_> {
    /// Findings before a number, newest first.
    pub fn findings_before(&self, number: i64, limit: u32) -> Result<Vec<StoredFinding>, StoreError> {
        const READ: &str = "read findings";
        let mut query = self
            .connection
            .prepare_cached(
                "SELECT number, body FROM findings WHERE number < ?1 ORDER BY number DESC LIMIT ?2",
            )
            .map_err(StoreError::sqlite(READ))?;
        let rows = query
            .query_map(params![number, limit], |row| {
                Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?))
            })
            .map_err(StoreError::sqlite(READ))?;
        let mut findings = Vec::new();
        for row in rows {
            let (number, body) = row.map_err(StoreError::sqlite(READ))?;
            let finding =
                Finding::decode(body.as_slice()).map_err(|_| StoreError::Garbled { what: "finding" })?;
            findings.push(StoredFinding { number, finding });
        }
        Ok(findings)
    }
}

impl Write<'_> {
    /// Adds a finding; says whether it was new. One that is there already, by its id, is left as it is.
    pub fn add_finding(&self, finding: &Finding, stored_us: i64) -> Result<bool, StoreError> {
        let added = self
            .transaction
            .prepare_cached(
                "INSERT OR IGNORE INTO findings (id, stored_us, severity, detection, body) VALUES (?1, ?2, ?3, ?4, ?5)",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    finding.id,
                    stored_us,
                    finding.severity,
                    finding.detection,
                    finding.encode_to_vec()
                ])
            })
            .map_err(StoreError::sqlite("store a finding"))?;
        Ok(added == 1)
    }
}
