"""What was checked, what was found, and what cannot be known."""

import contextlib
import csv
import functools

MAX_KEPT = 1000

CHECKS = {
    "file": "application id, schema, each table and index and its rules, no triggers or views; SQLite's "
            "own integrity",
    "references": "every row that another one points to is there; no station was removed",
    "numbers": "each number from 1 to the newest is one certificate, one open intent or one VOID",
    "identity": "one row per device and order, request, key and serial number, without the indexes",
    "counters": "each order's units and VOIDs against its rows, and against its quantity",
    "states": "each intent is open or has a certificate; a VOID has the reason of a rejection",
    "profiles": "each profile's text and CA against its hash",
    "rows": "each row's serial number, key, issuer, algorithm, name and CSR hash",
    "signatures": "each certificate's signature under its CA's key",
    "times": "times in the order of the numbers, intent before certificate before delivery; "
             "notBefore and notAfter by the profile",
    "stations": "station certificates against their hashes; no intent of a station without one",
    "station times": "no intent before its station's enrolment or after its revocation; not of all "
                     "intents if the clock was ever in doubt",
    "cloud": "registrations, their counts and bulk tasks against the certificates",
    "state": "the ledger is the one that linesignd has recorded, and as new (--state)",
    "manifests": "each device of the manifests at hand is in the ledger as it says (--manifest)",
    "certificates": "each PEM file at hand is in the ledger once, and none twice (--certs)",
}

CANNOT_KNOW = (
    "rows removed from the end, or changed to VOID with all that points to them, unless the state "
    "(--state), a manifest or a PEM file names them",
    "stations removed together with their numbers, unless the state counts them",
    "rows of void_issuance that were never intents: they hold no signed bytes",
    "what was changed without contradiction where no signature covers it: times, station, order, request "
    "and CSR hash of a row; state and quantity of an order; a station's certificate with its hash, and its "
    "revocation unless the state counts it",
    "the device of a certificate without a common name, unless a manifest names it: nothing signed does",
    "whether the HSM signed something that no row names: compare its own log or counters",
    "whether a manifest is genuine: linesign manifest verify checks its signature",
)

# What raises these holds a value that makes no sense.
ODD = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError, csv.Error)


class Report:
    def __init__(self):
        self.findings = []
        self.count = 0
        self.checked = []
        self.notes = []
        self.counts = {"certificates": 0, "without_common_name": 0, "open_intents": 0, "voids": 0,
                       "files": 0, "registered": 0, "manifest_devices": 0}

    def find(self, text):
        self.count += 1
        if len(self.findings) < MAX_KEPT:
            self.findings.append(text)

    @contextlib.contextmanager
    def understood(self, what):
        """What makes no sense in here is a finding, and the audit goes on."""
        try:
            yield
        except ODD as error:
            self.find(f"{what}: {error if isinstance(error, ValueError) else repr(error)}")

    def not_checked(self):
        return [name for name in CHECKS if name not in self.checked]

    def as_json(self):
        return {"ok": self.count == 0, **self.counts, "findings": self.findings,
                "findings_total": self.count, "checked": self.checked,
                "not_checked": self.not_checked(), "cannot_know": list(CANNOT_KNOW),
                "notes": self.notes}

    def as_text(self, most):
        lines = [f"WRONG  {finding}" for finding in self.findings[:most]]
        if self.count > most:
            lines.append(f"WRONG  ... and {self.count - most} more")
        lines += [f"note: {note}" for note in self.notes]
        lines.append(", ".join(f"{value} {name.replace('_', ' ')}"
                               for name, value in self.counts.items()))
        lines.append("checked:")
        lines += [f"  {name}: {CHECKS[name]}" for name in self.checked]
        if self.not_checked():
            lines.append("not checked:")
            lines += [f"  {name}: {CHECKS[name]}" for name in self.not_checked()]
        lines.append("what this cannot know:")
        lines += [f"  {each}" for each in CANNOT_KNOW]
        lines.append(f"{self.count} findings" if self.count else
                     f"OK: all {len(self.checked)} checks passed ({', '.join(self.checked)})")
        return "\n".join(map(printable, lines))


def check(*names):
    """Of a function of (db, report, ...): it makes these checks."""
    def decorate(function):
        @functools.wraps(function)
        def run(db, report, *more):
            report.checked += names
            with report.understood(names[0]):
                return function(db, report, *more)
        return run
    return decorate


def printable(text):
    """What a forged row holds can write no line of its own, and nothing to a terminal."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode()
                   for each in text)


def show(values):
    return ", ".join(value.hex() if isinstance(value, bytes) else str(value) for value in values)
