-- Schema 4: the ledger has a name of its own, and remembers what operators decided about it.

CREATE TABLE ledger_identity (
  id            INTEGER PRIMARY KEY CHECK (id = 1),
  ledger_id     BLOB    NOT NULL CHECK (length(ledger_id) = 16),
  created_at    INTEGER NOT NULL,
  awaits_record INTEGER NOT NULL CHECK (awaits_record IN (0, 1))
) STRICT;

-- An older ledger is named after its number 1, and so is every backup of it from before the update.
-- user_version is still the one that was found.
INSERT INTO ledger_identity (id, ledger_id, created_at, awaits_record)
  SELECT 1,
         coalesce((SELECT serial FROM issuance WHERE id = 1),
                  (SELECT serial FROM void_issuance WHERE issuance_id = 1),
                  randomblob(16)),
         unixepoch(),
         user_version > 0
    FROM pragma_user_version;

CREATE TABLE ledger_event (
  id     INTEGER PRIMARY KEY,
  at     INTEGER NOT NULL,
  event  TEXT    NOT NULL,
  detail TEXT    NOT NULL
) STRICT;
