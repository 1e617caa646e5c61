-- Schema 2 of the ledger: what becomes of the certificates in the cloud. Every table and column is
-- explained in docs/ledger.md. Numbers of states are those of ledger_cloud.h.
-- The issuing path neither reads nor writes any of this, and nothing here REFERENCES issuance or
-- certificate: each void would have to look for its children here.

CREATE TABLE cloud_target (
  id            INTEGER PRIMARY KEY,
  name          TEXT    NOT NULL UNIQUE,
  account       TEXT    NOT NULL,
  region        TEXT    NOT NULL,
  is_configured INTEGER NOT NULL CHECK (is_configured IN (0, 1)),
  created_at    INTEGER NOT NULL
) STRICT;

-- Which order goes to which target. Every issuance of the order below next_issuance_id has a row in
-- registration, or is void; `taken` counts those rows.
CREATE TABLE cloud_feed (
  order_id         INTEGER NOT NULL REFERENCES production_order (id),
  target_id        INTEGER NOT NULL REFERENCES cloud_target (id),
  origin           INTEGER NOT NULL CHECK (origin IN (1, 2)),
  is_active        INTEGER NOT NULL CHECK (is_active IN (0, 1)),
  next_issuance_id INTEGER NOT NULL DEFAULT 1,
  taken            INTEGER NOT NULL DEFAULT 0 CHECK (taken >= 0),
  created_at       INTEGER NOT NULL,
  PRIMARY KEY (order_id, target_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE bulk_task (
  id             INTEGER PRIMARY KEY,
  target_id      INTEGER NOT NULL REFERENCES cloud_target (id),
  object_key     TEXT    NOT NULL UNIQUE,
  aws_task_id    TEXT,
  state          INTEGER NOT NULL CHECK (state BETWEEN 1 AND 6),
  first_issuance INTEGER,
  last_issuance  INTEGER,
  lines          INTEGER NOT NULL DEFAULT 0 CHECK (lines >= 0),
  sha256         BLOB,
  created_at     INTEGER NOT NULL,
  updated_at     INTEGER NOT NULL,
  reason         TEXT    NOT NULL DEFAULT '',
  CHECK ((lines = 0) = (first_issuance IS NULL)),
  CHECK ((lines = 0) = (last_issuance IS NULL))
) STRICT;

CREATE TABLE registration (
  target_id      INTEGER NOT NULL REFERENCES cloud_target (id),
  issuance_id    INTEGER NOT NULL,
  state          INTEGER NOT NULL CHECK (state BETWEEN 0 AND 5),
  steps          INTEGER NOT NULL DEFAULT 0 CHECK (steps BETWEEN 0 AND 31),
  attempts       INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  task_id        INTEGER REFERENCES bulk_task (id),
  code           INTEGER NOT NULL DEFAULT 0,
  reason         TEXT    NOT NULL DEFAULT '',
  certificate_id BLOB,
  updated_at     INTEGER NOT NULL,
  PRIMARY KEY (target_id, issuance_id),
  CHECK (state <> 5 OR task_id IS NOT NULL),
  CHECK ((state = 2) = (certificate_id IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- One for each state that is looked for; a registered row is in none of them.
CREATE INDEX registration_expected ON registration (target_id) WHERE state = 0;
CREATE INDEX registration_waiting ON registration (target_id) WHERE state = 1;
CREATE INDEX registration_parked ON registration (target_id) WHERE state = 3;
CREATE INDEX registration_parked_code ON registration (target_id, code) WHERE state = 3;
CREATE INDEX registration_in_task ON registration (task_id) WHERE state = 5;
CREATE INDEX registration_task ON registration (task_id) WHERE task_id IS NOT NULL;

-- How many rows of registration a target has in each state; for parked ones by code. Kept, because
-- counting millions of rows would hold up the ledger's thread.
CREATE TABLE registration_count (
  target_id INTEGER NOT NULL REFERENCES cloud_target (id),
  state     INTEGER NOT NULL,
  code      INTEGER NOT NULL,
  count     INTEGER NOT NULL CHECK (count >= 0),
  PRIMARY KEY (target_id, state, code)
) STRICT, WITHOUT ROWID;
