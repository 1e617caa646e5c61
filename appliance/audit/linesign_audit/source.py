"""The ledger's files, opened so that neither they nor a running linesignd notice."""

import contextlib
import shutil
import sqlite3
import tempfile
from pathlib import Path


class ChangesTooFast(Exception):
    pass


def owner_of(ledger):
    """What ledger.lock names: linesignd puts its process id there and takes it out when it is stopped
    in order. "" if nobody. Nothing is locked to find out: that could keep a linesignd from starting.
    A process that is not seen here may run all the same, in a container or behind hidepid."""
    try:
        return (ledger / "ledger.lock").read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return ""


def why_copied(owner, has_log):
    """None: the file itself can be read."""
    if owner:
        try:
            name = Path(f"/proc/{int(owner)}/comm").read_text(encoding="ascii", errors="replace")
        except (OSError, ValueError):
            name = ""
        if name.startswith("linesignd"):
            return f"linesignd runs on this ledger (process {owner}): a copy of it was checked"
        return (f"ledger.lock names process {owner}, which was killed or cannot be seen from here: a "
                "copy of the ledger was checked")
    if has_log:
        return ("the ledger has a write-ahead log, so linesignd was not stopped in order: a copy of "
                "both was checked")
    return None


def copy_ledger(source, target):
    """File and log as they belong together. A log that kept its header was not started anew, so it
    still holds every page that a checkpoint may have written while the file was being copied."""
    log = source / "ledger.sqlite-wal"

    def log_header():
        try:
            with log.open("rb") as file:
                return file.read(32)
        except FileNotFoundError:
            return b""

    for _ in range(20):
        before = log_header()
        shutil.copy(source / "ledger.sqlite", target / "ledger.sqlite")
        content = log.read_bytes() if before else b""
        if before == log_header() and content[:32] == before:
            (target / "ledger.sqlite-wal").write_bytes(content)
            return
    raise ChangesTooFast(f"{source} changes too fast to be copied: check a snapshot of it")


def escaped(path):
    return str(path.resolve()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def state_of_files(ledger):
    """(owner, size of the log, ...): another one once a linesignd was started."""
    file, log = (ledger / "ledger.sqlite").stat(), ledger / "ledger.sqlite-wal"
    return owner_of(ledger), log.stat().st_size if log.exists() else 0, file.st_mtime_ns, file.st_size


@contextlib.contextmanager
def unchanged(ledger, before):
    """What was found in files that somebody wrote meanwhile is worth nothing."""
    try:
        yield
    finally:
        if state_of_files(ledger) != before:
            raise ChangesTooFast(f"{ledger} was used while it was read: check it again")


@contextlib.contextmanager
def opened(ledger):
    """(database, notes): the ledger is attached read-only as `ledger`, what is unqualified in the
    main database is scratch space on disk. Where nobody owns it and no log is left the file itself is
    read, otherwise a copy in $TMPDIR."""
    before = state_of_files(ledger)
    reason = why_copied(before[0], before[1] > 0)
    notes = [reason] if reason else []
    with tempfile.TemporaryDirectory(prefix="linesign-audit-") as folder:
        scratch = Path(folder)
        if reason:
            copy_ledger(ledger, scratch)
            # Takes the log over, in the copy.
            with contextlib.closing(sqlite3.connect(scratch / "ledger.sqlite")) as copy:
                copy.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            uri = f"file:{escaped(scratch / 'ledger.sqlite')}?mode=ro"
        else:
            with (ledger / "ledger.sqlite").open("rb"):
                pass  # SQLite would only say that it cannot
            uri = f"file:{escaped(ledger / 'ledger.sqlite')}?mode=ro&immutable=1"
        with contextlib.closing(sqlite3.connect(f"file:{escaped(scratch / 'scratch')}", uri=True,
                                                isolation_level=None)) as db:
            db.text_factory = lambda raw: raw.decode("utf-8", "replace")
            db.execute("PRAGMA journal_mode = OFF")
            db.execute("PRAGMA synchronous = OFF")
            db.execute("ATTACH ? AS ledger", (uri,))
            with contextlib.nullcontext() if reason else unchanged(ledger, before):
                yield db, notes
