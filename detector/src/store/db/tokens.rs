//! Join tokens. Only the hash of a token's secret is ever here.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};

use super::{Rows, StoreError, Write, from_us, to_us};
use crate::verify::SensorId;

/// A join token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// Its id; not secret.
    pub id: String,
    /// SHA-256 of its secret.
    pub secret_sha256: [u8; 32],
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// When it was used.
    pub used: Option<Timestamp>,
    /// The sensor that it was used by.
    pub used_by: Option<String>,
}

type Raw = (String, [u8; 32], i64, i64, Option<i64>, Option<String>);

const COLUMNS: &str = "SELECT id, secret_sha256, created_us, expires_us, used_us, used_by FROM tokens";

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((
        row.get(0)?,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
        row.get(5)?,
    ))
}

fn parse((id, secret_sha256, created, expires, used, used_by): Raw) -> Result<TokenRow, StoreError> {
    let used = used.map(from_us).transpose()?;
    Ok(TokenRow {
        id,
        secret_sha256,
        created: from_us(created)?,
        expires: from_us(expires)?,
        used,
        used_by,
    })
}

impl Rows<'_> {
    /// The token of that id.
    pub fn token(&self, id: &str) -> Result<Option<TokenRow>, StoreError> {
        let row = self
            .connection
            .query_row(&format!("{COLUMNS} WHERE id = ?1"), [id], raw)
            .optional();
        row.map_err(StoreError::sqlite("read a token"))?
            .map(parse)
            .transpose()
    }

    /// All tokens, oldest first.
    pub fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        const READ: &str = "read tokens";
        let mut query = self
            .connection
            .prepare(&format!("{COLUMNS} ORDER BY created_us, id"))
            .map_err(StoreError::sqlite(READ))?;
        let rows = query.query_map([], raw).map_err(StoreError::sqlite(READ))?;
        rows.map(|row| parse(row.map_err(StoreError::sqlite(READ))?))
            .collect()
    }
}

impl Write<'_> {
    /// Adds a token that nobody has used.
    pub fn add_token(&self, token: &TokenRow) -> Result<(), StoreError> {
        self.transaction
            .execute(
                "INSERT INTO tokens (id, secret_sha256, created_us, expires_us) VALUES (?1, ?2, ?3, ?4)",
                params![
                    token.id,
                    token.secret_sha256,
                    to_us(token.created),
                    to_us(token.expires)
                ],
            )
            .map_err(StoreError::sqlite("add a token"))?;
        Ok(())
    }

    /// Burns a token: nobody can use it again.
    pub fn burn_token(&self, id: &str, by: SensorId, now: Timestamp) -> Result<(), StoreError> {
        let burnt = self
            .transaction
            .execute(
                "UPDATE tokens SET used_us = ?2, used_by = ?3 WHERE id = ?1 AND used_us IS NULL",
                params![id, to_us(now), by.to_string()],
            )
            .map_err(StoreError::sqlite("burn a token"))?;
        // The transaction began before the token was looked at, so nobody else can have been faster.
        if burnt == 1 {
            Ok(())
        } else {
            Err(StoreError::Garbled { what: "token" })
        }
    }
}
