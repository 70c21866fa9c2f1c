//! Sensors, their keys, their certificates, and where their chains stand.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, params};

use super::{Rows, StoreError, Write, from_us, to_us, to_uuid};
use crate::verify::chain::ChainState;
use crate::verify::{KeyRing, SensorId};

/// A sensor that enrols.
#[derive(Clone, Debug)]
pub struct NewSensor {
    /// Its id.
    pub id: SensorId,
    /// Host name, as it gave it.
    pub host_name: String,
    /// Kernel release, as it gave it.
    pub kernel: String,
    /// Its version, as it gave it.
    pub sensor_version: String,
    /// Public half of its signing key.
    pub signing_key: [u8; 32],
    /// Serial number of its certificate, hex.
    pub certificate_serial: String,
    /// End of its certificate.
    pub certificate_not_after: Timestamp,
}

/// A sensor that enrolled.
#[derive(Clone, Debug)]
pub struct SensorRow {
    /// Its id.
    pub id: SensorId,
    /// Host name, as it gave it.
    pub host_name: String,
    /// Kernel release, as it gave it.
    pub kernel: String,
    /// Its version, as it gave it.
    pub sensor_version: String,
    /// When it enrolled.
    pub enrolled: Timestamp,
    /// When it last sent something.
    pub last_seen: Option<Timestamp>,
    /// How far its clock is ahead of the detector's, where that is more than is tolerated.
    pub clock_offset_ms: Option<i64>,
    /// Where its chain stands.
    pub chain: ChainState,
    /// End of its newest certificate.
    pub certificate_not_after: Option<Timestamp>,
}

/// Id, enrolled, last seen, chain, end of certificate.
type Raw = (String, i64, Option<i64>, String, Option<i64>);

impl Rows<'_> {
    /// All sensors, in the order of their enrolment.
    pub fn sensors(&self) -> Result<Vec<SensorRow>, StoreError> {
        const READ: &str = "read sensors";
        let mut query = self
            .connection
            .prepare_cached(
                "SELECT id, host_name, kernel, sensor_version, enrolled_us, last_seen_us, clock_offset_ms, chain,
                        (SELECT max(not_after_us) FROM certificates WHERE sensor = sensors.id)
                 FROM sensors ORDER BY enrolled_us, id",
            )
            .map_err(StoreError::sqlite(READ))?;
        let mut rows = query.query([]).map_err(StoreError::sqlite(READ))?;
        let mut sensors = Vec::new();
        while let Some(row) = rows.next().map_err(StoreError::sqlite(READ))? {
            let raw = || -> rusqlite::Result<Raw> {
                Ok((row.get(0)?, row.get(4)?, row.get(5)?, row.get(7)?, row.get(8)?))
            };
            let (id, enrolled, last_seen, chain, not_after) = raw().map_err(StoreError::sqlite(READ))?;
            let text = |index| row.get(index).map_err(StoreError::sqlite(READ));
            sensors.push(SensorRow {
                id: SensorId(to_uuid(&id)?),
                host_name: text(1)?,
                kernel: text(2)?,
                sensor_version: text(3)?,
                enrolled: from_us(enrolled)?,
                last_seen: last_seen.map(from_us).transpose()?,
                clock_offset_ms: row.get(6).map_err(StoreError::sqlite(READ))?,
                chain: parse_chain(&chain)?,
                certificate_not_after: not_after.map(from_us).transpose()?,
            });
        }
        Ok(sensors)
    }

    /// The signing keys of one sensor, or of all.
    pub fn keys(&self, of: Option<SensorId>) -> Result<KeyRing, StoreError> {
        const READ: &str = "read signing keys";
        let mut query = self
            .connection
            .prepare_cached("SELECT sensor, public_key FROM signing_keys WHERE ?1 IS NULL OR sensor = ?1")
            .map_err(StoreError::sqlite(READ))?;
        let of = of.map(|sensor| sensor.to_string());
        let rows = query.query_map([of], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, [u8; 32]>(1)?))
        });
        let mut ring = KeyRing::default();
        for row in rows.map_err(StoreError::sqlite(READ))? {
            let (sensor, key) = row.map_err(StoreError::sqlite(READ))?;
            if !ring.add(SensorId(to_uuid(&sensor)?), &key) {
                return Err(StoreError::Garbled { what: "signing key" });
            }
        }
        Ok(ring)
    }

    /// Whether some sensor has registered that signing key.
    pub fn has_key(&self, public_key: &[u8; 32]) -> Result<bool, StoreError> {
        const QUERY: &str = "SELECT EXISTS (SELECT 1 FROM signing_keys WHERE public_key = ?1)";
        let found = self.connection.query_row(QUERY, [public_key], |row| row.get(0));
        found.map_err(StoreError::sqlite("look for a signing key"))
    }

    /// Where a sensor's chain stands.
    pub fn chain(&self, sensor: SensorId) -> Result<ChainState, StoreError> {
        const READ: &str = "read a sensor's chain";
        let mut query = self
            .connection
            .prepare_cached("SELECT chain FROM sensors WHERE id = ?1")
            .map_err(StoreError::sqlite(READ))?;
        let chain: Option<String> = query
            .query_row([sensor.to_string()], |row| row.get(0))
            .optional()
            .map_err(StoreError::sqlite(READ))?;
        chain.map_or_else(|| Ok(ChainState::default()), |chain| parse_chain(&chain))
    }
}

impl Write<'_> {
    /// Adds a sensor with its key and certificate.
    pub fn add_sensor(&self, sensor: &NewSensor, now: Timestamp) -> Result<(), StoreError> {
        let add = || -> rusqlite::Result<()> {
            let id = sensor.id.to_string();
            self.transaction.execute(
                "INSERT INTO sensors (id, host_name, kernel, sensor_version, enrolled_us) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![id, sensor.host_name, sensor.kernel, sensor.sensor_version, to_us(now)],
            )?;
            self.transaction.execute(
                "INSERT INTO signing_keys (public_key, sensor, added_us) VALUES (?1, ?2, ?3)",
                params![sensor.signing_key, id, to_us(now)],
            )?;
            self.transaction.execute(
                "INSERT INTO certificates (serial, sensor, not_after_us) VALUES (?1, ?2, ?3)",
                params![sensor.certificate_serial, id, to_us(sensor.certificate_not_after)],
            )?;
            Ok(())
        };
        add().map_err(StoreError::sqlite("add a sensor"))
    }

    /// Notes where a sensor's chain stands, and that it was heard from.
    pub fn set_chain(&self, sensor: SensorId, chain: &ChainState, now: Timestamp) -> Result<(), StoreError> {
        let chain = serde_json::to_string(chain).map_err(|_| StoreError::Garbled { what: "chain" })?;
        self.transaction
            .prepare_cached("UPDATE sensors SET chain = ?2, last_seen_us = ?3 WHERE id = ?1")
            .and_then(|mut update| update.execute(params![sensor.to_string(), chain, to_us(now)]))
            .map_err(StoreError::sqlite("note a sensor's chain"))?;
        Ok(())
    }

    /// Notes how far a sensor's clock is ahead.
    pub fn set_clock_offset(&self, sensor: SensorId, offset_ms: Option<i64>) -> Result<(), StoreError> {
        self.transaction
            .execute(
                "UPDATE sensors SET clock_offset_ms = ?2 WHERE id = ?1",
                params![sensor.to_string(), offset_ms],
            )
            .map_err(StoreError::sqlite("note a sensor's clock"))?;
        Ok(())
    }
}

fn parse_chain(text: &str) -> Result<ChainState, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Garbled { what: "chain" })
}
