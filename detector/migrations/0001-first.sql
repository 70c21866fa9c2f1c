-- Times are microseconds since 1970 (*_us) by the detector's clock. Ids are UUIDs in their usual text form.

CREATE TABLE sensors (
    id TEXT PRIMARY KEY,
    host_name TEXT NOT NULL,
    kernel TEXT NOT NULL,
    sensor_version TEXT NOT NULL,
    enrolled_us INTEGER NOT NULL,
    last_seen_us INTEGER,
    -- How far the sensor's clock is ahead of ours, where that is more than is tolerated.
    clock_offset_ms INTEGER,
    -- verify::chain::ChainState as JSON.
    chain TEXT NOT NULL DEFAULT '{"head":null,"open":[]}'
) STRICT;

CREATE TABLE signing_keys (
    public_key BLOB PRIMARY KEY,
    sensor TEXT NOT NULL REFERENCES sensors (id),
    added_us INTEGER NOT NULL
) STRICT;

CREATE TABLE certificates (
    serial TEXT PRIMARY KEY,
    sensor TEXT NOT NULL REFERENCES sensors (id),
    not_after_us INTEGER NOT NULL
) STRICT;

CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    -- Of the secret only its hash is kept.
    secret_sha256 BLOB NOT NULL,
    created_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL,
    used_us INTEGER,
    used_by TEXT REFERENCES sensors (id)
) STRICT;

-- One row per batch: where its bytes are in the evidence log.
CREATE TABLE batches (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    sensor TEXT NOT NULL REFERENCES sensors (id),
    boot TEXT NOT NULL,
    first_sequence INTEGER NOT NULL,
    last_sequence INTEGER NOT NULL,
    digest BLOB NOT NULL,
    segment INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    stored_us INTEGER NOT NULL,
    UNIQUE (sensor, boot, first_sequence)
) STRICT;

-- Batches that were refused because another is stored at their place; kept as evidence.
CREATE TABLE forks (
    digest BLOB PRIMARY KEY,
    sensor TEXT NOT NULL REFERENCES sensors (id),
    segment INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    stored_us INTEGER NOT NULL
) STRICT;

CREATE TABLE findings (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    stored_us INTEGER NOT NULL,
    severity INTEGER NOT NULL,
    detection TEXT NOT NULL,
    -- An encoded claviger.v1.Finding.
    body BLOB NOT NULL
) STRICT;

-- Up to where the evidence log is indexed and has been through detection.
CREATE TABLE progress (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    segment INTEGER NOT NULL,
    offset INTEGER NOT NULL
) STRICT;
INSERT INTO progress VALUES (1, 1, 0);
