"""What a ledger says about itself: every table, every row, nothing believed that can be computed."""

import hashlib

from linesign_audit.der import assemble, parse_tbs
from linesign_audit.report import check, show
from linesign_audit.schema import WITH_CLOCK, pragma

CLOCK_CONFIRMED = 3  # kind of a clock_event
EXPECTED, REGISTERED, IN_TASK = 0, 2, 5  # states of a registration
TASK_BOOKED = 5  # this and higher: over
NO_EXPIRY = 253402300799  # 9999-12-31T23:59:59Z
REFUSALS = range(200, 400)  # errors of CSRs and requests: nothing was signed
NO_EXPIRY_TEXT = "no-expiry"
MAX_GAPS = 100
# Whatever was meant to be signed once.
INTENTS = ("(SELECT id, device_id, station_id, issued_at FROM issuance UNION ALL"
           " SELECT issuance_id, device_id, station_id, issued_at FROM void_issuance)")


def newest_number(db):
    return db.execute("SELECT max(coalesce((SELECT max(id) FROM issuance), 0), coalesce("
                      "(SELECT max(issuance_id) FROM void_issuance), 0))").fetchone()[0]


@check("references")
def check_references(db, report):
    for row in db.execute("PRAGMA ledger.foreign_key_check"):
        report.find(f"foreign key: {row[0]} row {row[1]} refers to no {row[2]}")
    # The numbers of stations are given once and their rows never removed.
    query = ("SELECT coalesce((SELECT seq FROM ledger.sqlite_sequence WHERE name = 'station'), 0),"
             " coalesce(max(id), 0), count(*) FROM station")
    given, newest, rows = db.execute(query).fetchone()
    if max(given, newest) != rows:
        report.find(f"{max(given, newest)} stations were added, {rows} are there")
    elif given != newest:
        report.find(f"{given} numbers of stations were given, the newest is {newest}")


@check("numbers")
def check_numbers(db, report):
    expected, gaps = 1, 0
    query = "SELECT id FROM issuance UNION ALL SELECT issuance_id FROM void_issuance ORDER BY 1"
    for (number,) in db.execute(query):
        if number > expected and gaps < MAX_GAPS:
            gaps += 1
            what = f"number {expected} is" if number == expected + 1 else \
                f"numbers {expected} to {number - 1} are"
            report.find(f"{what} missing: somebody removed what they stood for")
        if number < expected:
            report.find(f"number {number} is both in issuance and in void_issuance")
        expected = max(expected, number + 1)
    for table in ("certificate", "open_intent"):
        for (number,) in db.execute(f"SELECT issuance_id FROM {table}"
                                    " WHERE issuance_id NOT IN (SELECT id FROM issuance)"):
            report.find(f"{table} {number} has no intent")


@check("identity")
def check_identity(db, report):
    """One identity per device and key; not believing the indexes."""
    for columns in ("order_id, device_id", "order_id, request_id", "key_sha256", "serial"):
        for row in db.execute(f"SELECT count(*), {columns} FROM issuance NOT INDEXED"
                              f" GROUP BY {columns} HAVING count(*) > 1"):
            report.find(f"{row[0]} rows have the same {columns}: {show(row[1:])}")
    for (serial,) in db.execute("SELECT hex(v.serial) FROM void_issuance AS v"
                                " JOIN issuance AS i ON i.serial = v.serial"):
        report.find(f"serial number {serial.lower()} is a certificate's and a VOID's")


@check("counters")
def check_counters(db, report):
    query = ("SELECT o.name, o.reserved, o.quantity, o.voided,"
             " (SELECT count(*) FROM issuance NOT INDEXED WHERE order_id = o.id),"
             " (SELECT count(*) FROM void_issuance WHERE order_id = o.id)"
             " FROM production_order AS o")
    for name, reserved, quantity, voided, rows, void_rows in db.execute(query):
        if reserved != rows:
            report.find(f"order {name}: {reserved} units are reserved, {rows} rows use one")
        if voided != void_rows:
            report.find(f"order {name}: {voided} voids are counted, {void_rows} are there")
        if quantity is not None and rows > quantity:
            report.find(f"order {name}: {rows} units of {quantity}")


@check("states")
def check_states(db, report, allow_open):
    query = ("SELECT i.id, i.device_id, c.issuance_id IS NOT NULL"
             " FROM issuance AS i LEFT JOIN certificate AS c ON c.issuance_id = i.id"
             " LEFT JOIN open_intent AS o ON o.issuance_id = i.id"
             " WHERE (c.issuance_id IS NULL) = (o.issuance_id IS NULL)")
    for number, device, has_certificate in db.execute(query):
        what = "a certificate and is open" if has_certificate else "no certificate and is not open"
        report.find(f"issuance {number} ({device}) has {what}")
    for name, table in (("open_intents", "open_intent"), ("voids", "void_issuance")):
        report.counts[name] = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    if report.counts["open_intents"] and not allow_open:
        report.find(f"{report.counts['open_intents']} intents have no end")
    for number, device, reason in db.execute(
            "SELECT issuance_id, device_id, reason FROM void_issuance"):
        if reason not in REFUSALS:
            report.find(f"VOID {number} ({device}) has reason {reason}, which rejects nothing")
    # What was handed out, confirmed or registered was no VOID.
    for table in ("delivery", "confirmation"):
        for number, device in db.execute(
                f"SELECT v.issuance_id, v.device_id FROM void_issuance AS v"
                f" JOIN {table} AS t ON t.issuance_id = v.issuance_id"):
            report.find(f"VOID {number} ({device}) has a {table}: it was a certificate")


class Profile:
    def __init__(self, ca, algorithm):
        self.ca = ca
        self.algorithm = algorithm
        self.backdate, self.validity = None, None

    def read(self, text):
        values = dict(line.split("=", 1) for line in text.splitlines()[1:] if "=" in line)
        if values["validity_s"] != NO_EXPIRY_TEXT:
            self.validity = int(values["validity_s"])
        self.backdate = int(values["backdate_s"])

    def validity_of(self, issued_at):
        wanted = NO_EXPIRY if self.validity is None else issued_at + self.validity
        return (max(issued_at - self.backdate, self.ca.not_before),
                min(wanted, self.ca.not_after, NO_EXPIRY))


@check("profiles")
def check_profiles(db, report, known_cas):
    """Profiles by id; those of a CA that is not known are None. `known_cas`: by their DER."""
    profiles = {}
    for number, given, text, ca_der, algorithm in db.execute(
            "SELECT id, sha256, canonical_text, ca_certificate_der, signature_algorithm_der"
            " FROM profile"):
        if hashlib.sha256(text.encode() + ca_der).digest() != given:
            report.find(f"profile {number}: its text and CA are not those of its hash")
        profiles[number] = Profile(known_cas[ca_der], algorithm) if ca_der in known_cas else None
        if profiles[number] is not None:
            with report.understood(f"profile {number}: its text"):
                profiles[number].read(text)
    return profiles


@check("rows", "signatures", "times")
def check_rows(db, report, profiles, tolerance):
    """What was computed of a certificate stays in a scratch table, audit_made."""
    db.execute("CREATE TABLE audit_made (id INTEGER PRIMARY KEY, certificate_id BLOB)")
    query = ("SELECT i.id, i.device_id, i.serial, i.key_sha256, i.tbs, c.signature, i.profile_id,"
             " i.issued_at, i.csr_sha256, o.csr, c.committed_at, d.delivered_at, f.confirmed_at"
             " FROM issuance AS i LEFT JOIN certificate AS c ON c.issuance_id = i.id"
             " LEFT JOIN open_intent AS o ON o.issuance_id = i.id"
             " LEFT JOIN delivery AS d ON d.issuance_id = i.id"
             " LEFT JOIN confirmation AS f ON f.issuance_id = i.id ORDER BY i.id")
    row_check = RowCheck(report, profiles, tolerance)
    db.execute("BEGIN")
    writer = db.cursor()
    for row in db.cursor().execute(query):
        with report.understood(f"issuance {row[0]}"):
            certificate_id = row_check.check(*row)
            if certificate_id is not None:
                writer.execute("INSERT INTO audit_made VALUES (?, ?)", (row[0], certificate_id))
    db.execute("COMMIT")
    db.execute("CREATE INDEX audit_made_id ON audit_made (certificate_id)")
    for number, device, issued, voided in db.execute(
            "SELECT issuance_id, device_id, issued_at, voided_at FROM void_issuance"):
        row_check.in_order(f"VOID {number} ({device})", issued_at=issued, voided_at=voided)
    check_order(db, report, tolerance)


def check_order(db, report, tolerance):
    """After some numbers an operator said that the clock is right, whatever it was before."""
    confirmed = [] if pragma(db, "user_version") < WITH_CLOCK else [number for (number,) in db.execute(
        "SELECT newest_issuance FROM clock_event WHERE kind = ? ORDER BY newest_issuance DESC",
        (CLOCK_CONFIRMED,))]
    newest = None
    for number, device, issued_at in db.execute(
            f"SELECT id, device_id, issued_at FROM {INTENTS} ORDER BY id"):
        while confirmed and confirmed[-1] < number:
            confirmed.pop()
            newest = None
        if newest is not None and issued_at < newest - tolerance:
            report.find(f"issuance {number} ({device}): issued_at {issued_at} is before {newest} of a "
                        "lower number")
        newest = issued_at if newest is None else max(newest, issued_at)


class RowCheck:
    def __init__(self, report, profiles, tolerance):
        self.report = report
        self.profiles = profiles
        self.tolerance = tolerance

    def check(self, number, device, serial, key, tbs, signature, profile_id, issued_at, csr_hash, csr,
              *later):
        what = f"issuance {number} ({device})"
        self.in_order(what, **dict(zip(("issued_at", "committed_at", "delivered_at", "confirmed_at"),
                                       (issued_at, *later))))
        if csr is not None and hashlib.sha256(csr).digest() != csr_hash:
            self.report.find(f"{what}: the CSR is not the one of its hash")
        profile = self.profiles.get(profile_id)
        if profile is None:
            self.report.find(f"{what} was made by another CA certificate")
            return None
        with self.report.understood(what):
            self.check_tbs(profile, what, device, serial, key, tbs, issued_at)
        if signature is None:
            return None
        self.report.counts["certificates"] += 1
        if not profile.ca.has_signed(tbs, profile.algorithm, signature):
            self.report.find(f"{what}: the signature does not verify")
        return hashlib.sha256(assemble(tbs, profile.algorithm, signature)).digest()

    def check_tbs(self, profile, what, device, serial, key, tbs, issued_at):
        parts = parse_tbs(tbs)
        find = self.report.find
        if parts["serial"] != serial or len(serial) != 16 or not 0x40 <= serial[0] <= 0x7F:
            find(f"{what}: serial number {parts['serial'].hex()} is not {serial.hex()}")
        if hashlib.sha256(parts["spki"]).digest() != key:
            find(f"{what}: the key is not that of the row")
        if parts["algorithm"] != profile.algorithm:
            find(f"{what}: the inner signature algorithm differs")
        if parts["issuer"] != profile.ca.name:
            find(f"{what}: the issuer is not the CA")
        if not parts["names"]:
            self.report.counts["without_common_name"] += 1
        elif parts["names"] != [device]:
            find(f"{what}: the common name is {parts['names']}")
        if profile.backdate is None:
            return
        not_before, not_after = profile.validity_of(issued_at)
        if parts["not_before"] != not_before:
            find(f"{what}: notBefore {parts['not_before']} is not {not_before}, as issued_at says")
        if parts["not_after"] != not_after:
            find(f"{what}: notAfter {parts['not_after']} is not {not_after}, as the profile says")

    def in_order(self, what, **times):
        """A clock may be set back a little between two of them."""
        before_name, before = None, None
        for name, value in times.items():
            if value is None:
                continue
            if before is not None and value < before - self.tolerance:
                self.report.find(f"{what}: {name} {value} is before {before_name} {before}")
            before_name, before = name, value


@check("stations")
def check_stations(db, report, tolerance):
    for number, name, given, der in db.execute(
            "SELECT id, name, certificate_sha256, certificate_der FROM station"
            " WHERE certificate_der IS NOT NULL"):
        if hashlib.sha256(der).digest() != given:
            report.find(f"station {number} ({name}): its certificate is not the one of its hash")
    # Stations get their times of whatever the clock says; intents get theirs while it is right.
    first, last = None, None
    if pragma(db, "user_version") >= WITH_CLOCK:
        first, last = db.execute(
            "SELECT min(newest_issuance), max(newest_issuance) FROM clock_event").fetchone()
    if last is None:
        report.checked.append("station times")
    else:
        report.notes.append(f"the clock was in doubt: intents up to number {first} were compared with "
                            f"times of enrolment, intents above {last} with times of revocation")
    query = ("SELECT i.id, i.device_id, s.name, i.issued_at, s.enrolled_at, s.revoked_at"
             f" FROM {INTENTS} AS i JOIN station AS s ON s.id = i.station_id"
             " WHERE s.enrolled_at IS NULL"
             " OR (i.id <= coalesce(?1, i.id) AND i.issued_at < s.enrolled_at - ?3)"
             " OR (i.id > coalesce(?2, i.id - 1) AND i.issued_at > s.revoked_at + ?3)")
    for number, device, name, issued, enrolled, revoked in db.execute(query, (first, last, tolerance)):
        report.find(f"issuance {number} ({device}) of {issued}: station {name} was enrolled at "
                    f"{enrolled} and revoked at {revoked}")


# What the cloud knows.

@check("cloud")
def check_cloud(db, report):
    """After RowCheck."""
    check_registrations(db, report)
    check_feeds(db, report)
    check_registration_counts(db, report)


def check_registrations(db, report):
    query = ("SELECT t.name, r.issuance_id FROM registration AS r JOIN cloud_target AS t ON"
             " t.id = r.target_id WHERE r.state = ? AND r.issuance_id NOT IN (SELECT id FROM issuance)"
             " AND r.issuance_id NOT IN (SELECT issuance_id FROM void_issuance)")
    for target, number in db.execute(query, (EXPECTED,)):
        report.find(f"registration {number} in {target} has no intent")
    query = ("SELECT t.name, r.issuance_id, r.state, r.certificate_id, b.state, m.certificate_id"
             " FROM registration AS r JOIN cloud_target AS t ON t.id = r.target_id"
             " LEFT JOIN bulk_task AS b ON b.id = r.task_id"
             " LEFT JOIN audit_made AS m ON m.id = r.issuance_id WHERE r.state <> ?")
    for target, number, state, certificate_id, task_state, actual in db.execute(query, (EXPECTED,)):
        what = f"registration {number} in {target}"
        if actual is None:
            report.find(f"{what} has no certificate")
        if state == REGISTERED:
            report.counts["registered"] += 1
            if certificate_id != actual:
                report.find(f"{what} is recorded for another certificate")
        if state == IN_TASK and task_state is not None and task_state >= TASK_BOOKED:
            report.find(f"{what} is in a bulk task that is over")


def check_feeds(db, report):
    query = ("SELECT o.name, t.name, i.id FROM cloud_feed AS f"
             " JOIN production_order AS o ON o.id = f.order_id"
             " JOIN cloud_target AS t ON t.id = f.target_id"
             " JOIN issuance AS i ON i.order_id = f.order_id AND i.id < f.next_issuance_id"
             " LEFT JOIN registration AS r ON r.target_id = f.target_id AND r.issuance_id = i.id"
             " WHERE r.issuance_id IS NULL")
    for order, target, number in db.execute(query):
        report.find(f"issuance {number} of order {order} was left out for {target}")
    query = ("SELECT t.name, f.taken, (SELECT count(*) FROM registration AS r"
             " WHERE r.target_id = f.target_id AND f.order_id = coalesce("
             " (SELECT order_id FROM issuance AS i WHERE i.id = r.issuance_id),"
             " (SELECT order_id FROM void_issuance AS v WHERE v.issuance_id = r.issuance_id)))"
             " FROM cloud_feed AS f JOIN cloud_target AS t ON t.id = f.target_id")
    for target, taken, rows in db.execute(query):
        if taken != rows:
            report.find(f"{target}: {taken} were taken in, {rows} are there")
    newest = newest_number(db)
    query = ("SELECT t.name, f.next_issuance_id - 1 FROM cloud_feed AS f"
             " JOIN cloud_target AS t ON t.id = f.target_id WHERE f.next_issuance_id - 1 > ?")
    for target, looked_at in db.execute(query, (newest,)):
        report.find(f"{target}: numbers up to {looked_at} were looked at, the newest is {newest}")


def check_registration_counts(db, report):
    counted = "SELECT target_id, state, code, count FROM registration_count WHERE count <> 0"
    actual = ("SELECT target_id, state, iif(state = 3, code, 0) AS kind, count(*)"
              " FROM registration GROUP BY target_id, state, kind")
    for query, missing in ((f"{counted} EXCEPT {actual}", "counted"),
                           (f"{actual} EXCEPT {counted}", "there")):
        for target, state, code, count in db.execute(query):
            report.find(f"target {target}: {count} registrations of state {state}, code {code}"
                        f" are {missing} only")
    query = ("SELECT id, lines, (SELECT count(*) FROM registration WHERE task_id = b.id)"
             " FROM bulk_task AS b WHERE state < ?")
    for task, lines, rows in db.execute(query, (TASK_BOOKED,)):
        if lines != rows:
            report.find(f"bulk task {task}: {lines} lines are counted, {rows} are there")
