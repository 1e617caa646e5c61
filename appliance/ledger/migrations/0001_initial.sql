-- Schema 1 of the ledger. Every table and column is explained in docs/ledger.md.
-- Times are seconds since 1970-01-01T00:00:00Z. Numbers of states are those of ledger.h.

-- reserved = open intents + certificates; the CHECK keeps it within the order's quantity.
CREATE TABLE production_order (
  id         INTEGER PRIMARY KEY,
  name       TEXT    NOT NULL UNIQUE,
  state      INTEGER NOT NULL CHECK (state IN (1, 2)),
  quantity   INTEGER CHECK (quantity >= 0),
  reserved   INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
  voided     INTEGER NOT NULL DEFAULT 0 CHECK (voided >= 0),
  created_at INTEGER NOT NULL,
  CHECK (quantity IS NULL OR reserved <= quantity)
) STRICT;

INSERT INTO production_order (id, name, state, quantity, created_at)
VALUES (1, 'default', 1, NULL, unixepoch());

CREATE TABLE station (
  id                 INTEGER PRIMARY KEY AUTOINCREMENT,
  name               TEXT    NOT NULL,
  state              INTEGER NOT NULL CHECK (state IN (1, 2, 3)),
  certificate_sha256 BLOB    UNIQUE,
  certificate_der    BLOB,
  created_at         INTEGER NOT NULL,
  enrolled_at        INTEGER,
  revoked_at         INTEGER,
  token_sha256       BLOB    NOT NULL UNIQUE,
  token_expires_at   INTEGER NOT NULL,
  token_key_sha256   BLOB,
  CHECK ((enrolled_at IS NULL) = (certificate_der IS NULL)),
  CHECK ((enrolled_at IS NULL) = (certificate_sha256 IS NULL)),
  CHECK ((enrolled_at IS NULL) = (token_key_sha256 IS NULL)),
  CHECK (state <> 2 OR enrolled_at IS NOT NULL),
  CHECK ((state = 3) = (revoked_at IS NOT NULL))
) STRICT;

-- A name may be used again once its old bearer is revoked.
CREATE UNIQUE INDEX station_live_name ON station (name) WHERE state <> 3;

CREATE TABLE profile (
  id                      INTEGER PRIMARY KEY,
  sha256                  BLOB    NOT NULL UNIQUE,
  canonical_text          TEXT    NOT NULL,
  ca_certificate_der      BLOB    NOT NULL,
  signature_algorithm_der BLOB    NOT NULL,
  first_used_at           INTEGER NOT NULL
) STRICT;

-- One row per intent, kept as the certificate's row. The UNIQUE constraints are the promise of one
-- identity per device and key, and of one answer per request.
CREATE TABLE issuance (
  id         INTEGER PRIMARY KEY,
  serial     BLOB    NOT NULL UNIQUE,
  order_id   INTEGER NOT NULL REFERENCES production_order (id),
  device_id  TEXT    NOT NULL,
  request_id BLOB    NOT NULL,
  station_id INTEGER NOT NULL REFERENCES station (id),
  csr_sha256 BLOB    NOT NULL,
  key_sha256 BLOB    NOT NULL UNIQUE,
  profile_id INTEGER NOT NULL REFERENCES profile (id),
  issued_at  INTEGER NOT NULL,
  tbs        BLOB    NOT NULL,
  UNIQUE (order_id, device_id),
  UNIQUE (order_id, request_id)
) STRICT;

-- Rows of `issuance` that have no end yet. Small at all times: a start reads this and no more.
CREATE TABLE open_intent (
  issuance_id INTEGER PRIMARY KEY REFERENCES issuance (id),
  csr         BLOB    NOT NULL
) STRICT;

CREATE TABLE certificate (
  issuance_id  INTEGER PRIMARY KEY REFERENCES issuance (id),
  signature    BLOB    NOT NULL,
  committed_at INTEGER NOT NULL
) STRICT;

-- What `issuance` said about intents that were given up without a signature.
CREATE TABLE void_issuance (
  issuance_id INTEGER PRIMARY KEY,
  serial      BLOB    NOT NULL,
  order_id    INTEGER NOT NULL REFERENCES production_order (id),
  device_id   TEXT    NOT NULL,
  request_id  BLOB    NOT NULL,
  station_id  INTEGER NOT NULL REFERENCES station (id),
  csr_sha256  BLOB    NOT NULL,
  key_sha256  BLOB    NOT NULL,
  profile_id  INTEGER NOT NULL REFERENCES profile (id),
  issued_at   INTEGER NOT NULL,
  reason      INTEGER NOT NULL,
  voided_at   INTEGER NOT NULL
) STRICT;

CREATE TABLE delivery (
  issuance_id  INTEGER PRIMARY KEY REFERENCES certificate (issuance_id),
  station_id   INTEGER NOT NULL REFERENCES station (id),
  delivered_at INTEGER NOT NULL
) STRICT;

CREATE TABLE confirmation (
  issuance_id  INTEGER PRIMARY KEY REFERENCES certificate (issuance_id),
  confirmed_at INTEGER NOT NULL
) STRICT;
