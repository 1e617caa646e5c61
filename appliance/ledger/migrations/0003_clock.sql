-- Schema 3 of the ledger: when the clock was doubted, right again, or confirmed by an operator.
-- Explained in docs/ledger.md; kinds are those of clock_event.h.
CREATE TABLE clock_event (
  id              INTEGER PRIMARY KEY,
  kind            INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 3),
  clock_at        INTEGER NOT NULL,
  trusted_at      INTEGER NOT NULL,
  newest_issuance INTEGER NOT NULL CHECK (newest_issuance >= 0)
) STRICT;
