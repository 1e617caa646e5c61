-- Schema 4: the ledger has a name of its own, and remembers what operators decided about it.

CREATE TABLE ledger_identity (
  id         INTEGER PRIMARY KEY CHECK (id = 1),
  ledger_id  BLOB    NOT NULL CHECK (length(ledger_id) = 16),
  created_at INTEGER NOT NULL
) STRICT;

INSERT INTO ledger_identity (id, ledger_id, created_at) VALUES (1, randomblob(16), unixepoch());

CREATE TABLE ledger_event (
  id     INTEGER PRIMARY KEY,
  at     INTEGER NOT NULL,
  event  TEXT    NOT NULL,
  detail TEXT    NOT NULL
) STRICT;
