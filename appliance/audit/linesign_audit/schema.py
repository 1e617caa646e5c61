"""What the file is: a ledger whose tables have all the rules that linesignd gave them."""

import hashlib
import re

from linesign_audit.report import check

APPLICATION_ID = 0x4C534C31
WITH_CLOUD, WITH_CLOCK, WITH_IDENTITY = 2, 3, 4
# By the schema that brought it: SHA-256, its first 8 bytes, of the statement that made it.
MADE = {
    1: {"production_order": "01370e59941ba520", "station": "d1c677ce327ba5ed",
        "station_live_name": "32d66b7b1c970e59", "profile": "f99f8b05f3a1a768",
        "issuance": "c282b59b5c074cfb", "open_intent": "91e56c61629507e4",
        "certificate": "a68d79ee05344802", "void_issuance": "a94f505effd7725b",
        "delivery": "728d8735831f89a0", "confirmation": "bdc74b25e41d9687"},
    WITH_CLOUD: {"cloud_target": "5a16106804f2ecb6", "cloud_feed": "85fa94f9b92d5ea0",
        "bulk_task": "74794c0f0048b0bd", "registration": "2357ccc038ffcef0",
        "registration_expected": "255663950711b1ea", "registration_waiting": "bc2b8a9d008865a5",
        "registration_parked": "11668e64b721e227", "registration_parked_code": "ffd5da1c507324de",
        "registration_in_task": "b8fddc6ea16c089c", "registration_task": "fb9235bd7a98ac61",
        "registration_count": "f3d664af213c30f1"},
    WITH_CLOCK: {"clock_event": "c0095fa6215bdb02"},
    WITH_IDENTITY: {"ledger_identity": "a13712c16f98f813", "ledger_event": "542ef791ad259b12"},
}


def pragma(db, name):
    return db.execute(f"PRAGMA ledger.{name}").fetchone()[0]


def bare(statement):
    """Comments and the width of spaces do not count."""
    return " ".join(re.sub(r"--[^\n]*", "", statement).split())


def digest(statement):
    return hashlib.sha256(bare(statement).encode()).hexdigest()[:16]


def expressions(statement):
    """What stands behind each CHECK, with its parentheses."""
    text = bare(statement)
    for word in re.finditer(r"CHECK (?=\()", text):
        depth = 0
        for end in range(word.end(), len(text)):
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            if depth == 0:
                yield text[word.end():end + 1]
                break


@check("file")
def check_file(db, report):
    """False: nothing else makes sense."""
    if pragma(db, "application_id") != APPLICATION_ID:
        report.find("the file is not a ledger of linesign")
        return False
    schema = pragma(db, "user_version")
    if schema not in MADE:
        report.find(f"schema {schema} is not known to this program")
        return False
    damage = [line for (line,) in db.execute("PRAGMA ledger.integrity_check") if line != "ok"]
    for line in damage:
        report.find(f"integrity: {line}")
    check_rules(db, report, schema)
    return not damage


def check_rules(db, report, schema):
    """UNIQUE, CHECK, REFERENCES, STRICT: all of them stand in the statements."""
    found = {}
    for kind, name, statement in db.execute(
            "SELECT type, name, sql FROM ledger.sqlite_master WHERE type IN ('trigger', 'view')"
            " OR (sql IS NOT NULL AND name NOT IN ('sqlite_sequence', 'sqlite_stat1', 'sqlite_stat4'))"):
        if kind in ("trigger", "view"):
            report.find(f"a ledger has no {kind}: {name}")
        else:
            found[name] = statement
    made = {name: each for first in MADE if first <= schema for name, each in MADE[first].items()}
    for name in sorted(made.keys() | found.keys()):
        if name not in found:
            report.find(f"{name} of schema {schema} is missing")
        elif digest(found[name]) != made.get(name):
            report.find(f"{name} is not that of schema {schema}: UNIQUE rules, checks or references "
                        "differ")
        else:
            check_values(db, report, name, found[name])


def check_values(db, report, table, statement):
    """SQLite forgets each CHECK of a file that it may not write; its own integrity check too."""
    for rule in expressions(statement):
        rows = db.execute(f"SELECT count(*) FROM ledger.{table} WHERE NOT {rule}").fetchone()[0]
        if rows:
            report.find(f"{rows} rows of {table} break CHECK {rule}")
