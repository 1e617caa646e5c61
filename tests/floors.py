#!/usr/bin/python3
"""The floor rule and the house rules, held by machine.

Three tables: which folder may include which of our own, where each third-party header may be used,
and what is not written at all. Each row carries its reason. Run from anywhere; prints one line per
breach and ends with "N passed, N failed", one count per row.
"""

import re
import sys
from typing import NamedTuple

from support.tree import ROOT, files_of_tree

PRODUCT = ("protocol/", "hsm/", "stations/", "appliance/")

# --- our own includes ---------------------------------------------------------------------------


class Floor(NamedTuple):
    folder: str
    may_include: tuple
    why: str


# The longest matching folder decides. A file may always include its own folder.
FLOORS = (
    Floor("protocol/", ("protocol/",), "floor 0 knows nobody above it"),
    Floor("protocol/base/", ("protocol/base/",), "the ground everything else stands on"),
    Floor("hsm/x509/", ("hsm/x509/", "protocol/"),
          "software only: linesignd links it, so no token may be reached from here"),
    Floor("hsm/pkcs11/", ("hsm/pkcs11/", "hsm/x509/", "protocol/"), "the only door to the token"),
    Floor("hsm/", ("hsm/", "protocol/"), "hsm and stations do not see each other"),
    Floor("stations/client/", ("stations/client/", "stations/transport/", "protocol/"),
          "runs at the station: nothing of the appliance's side"),
    Floor("stations/transport/", ("stations/transport/", "protocol/"), "TLS knows no sessions"),
    Floor("stations/", ("stations/", "protocol/"), "stations and hsm do not see each other"),
    Floor("appliance/records/", ("appliance/records/", "protocol/base/"),
          "words of the ledger for those who have none"),
    Floor("appliance/admin/api/", ("appliance/admin/api/", "appliance/records/", "protocol/base/"),
          "both ends of the admin socket speak it"),
    Floor("appliance/admin/client/", ("appliance/admin/client/", "appliance/admin/api/",
                                      "protocol/base/"),
          "whoever asks linesignd has neither its ledger nor its event loop"),
    Floor("appliance/cloud/", ("appliance/cloud/", "appliance/admin/api/", "appliance/admin/client/",
                               "appliance/config/", "appliance/records/", "hsm/x509/",
                               "hsm/signer/settings.h", "hsm/pkcs11/uri.h", "protocol/"),
          "the process with the internet opens no ledger: it asks linesignd; of tokens it knows "
          "how they are named"),
    Floor("appliance/cli/", ("appliance/admin/api/", "appliance/admin/client/", "appliance/bench/",
                             "appliance/cli/", "appliance/cloud/", "appliance/config/",
                             "appliance/records/", "appliance/startup/", "stations/", "hsm/x509/",
                             "hsm/signer/settings.h", "hsm/ceremony/", "hsm/sizing/", "protocol/"),
          "key ceremony and measurements reach the token; the ledger has one owner, linesignd"),
    Floor("appliance/bench/", ("appliance/admin/api/", "appliance/admin/client/", "appliance/bench/",
                               "appliance/config/", "appliance/records/", "stations/", "hsm/x509/", "hsm/signer/settings.h",
                               "hsm/sizing/", "protocol/"),
          "it makes a throwaway token and measures the ceiling; a real key is the ceremony's"),
    Floor("appliance/cloud/aws/", ("appliance/cloud/aws/", "hsm/x509/", "protocol/base/"),
          "a client of AWS and nothing else: it knows no ledger, no order and no configuration"),
    Floor("appliance/ledger/", ("appliance/ledger/", "appliance/records/", "hsm/x509/", "protocol/"),
          "the ledger knows how a certificate is put together, and nothing of stations or signers"),
    Floor("appliance/", ("appliance/", "stations/", "hsm/x509/", "hsm/signer/settings.h",
                         "hsm/signer/hardening.h", "hsm/signer/launcher.h", "protocol/"),
          "linesignd never links libp11: it reaches the token through signer processes only"),
)

# --- third-party headers ------------------------------------------------------------------------


class Home(NamedTuple):
    header: str  # a regular expression
    folders: tuple
    why: str


HOMES = (
    Home(r"libp11\.h|p11_err\.h|pkcs11\.h|p11-kit/.*", ("hsm/pkcs11/",),
         "whoever includes it can reach the key"),
    Home(r"openssl/ssl\.h|openssl/tls1\.h", ("stations/transport/",),
         "one TLS configuration, in one place"),
    Home(r"openssl/(x509|x509v3|x509_vfy|pem|cms|pkcs7|asn1t?)\.h",
         ("hsm/", "appliance/enrollment/", "stations/client/", "stations/transport/"),
         "X.509 is made and read in few places; elsewhere certificates are bytes"),
    Home(r"openssl/.*", ("hsm/", "appliance/", "stations/", "protocol/base/"),
         "cryptography has one library, and protocol/ needs only digests and random bytes"),
    Home(r"Poco/Data/.*|sqlite3\.h", ("appliance/ledger/",), "one process, one owner of the ledger"),
    Home(r"Poco/Net/HTTP.*", ("appliance/admin/", "appliance/cli/"),
         "HTTP is for operators only; stations speak their own protocol"),
    Home(r"Poco/.*", ("appliance/", "stations/client/", "stations/transport/"),
         "protocol and hsm stay free of Poco; stations take its addresses and sockets"),
    Home(r"curl/.*", ("appliance/cloud/aws/",),
         "one way to the internet, so that proxies, trust and redirects are decided once"),
    Home(r"toml\+\+/.*|toml\+\+\.h", ("protocol/settings/",),
         "one strict reader, so that every file refuses unknown keys alike"),
    Home(r"event2/.*|event\.h", ("protocol/event/",), "one event loop, behind our own interface"),
    Home(r"CLI/.*", ("appliance/cli/", "appliance/cloud/uploader/main.cpp", "appliance/daemon/",
                     "hsm/signer/", "protocol/usage/", "stations/client/"),
         "command lines belong to programs, not to libraries"),
    Home(r"spdlog/.*",
         ("appliance/daemon/", "appliance/issuance/", "appliance/signers/", "appliance/admin/",
          "appliance/cloud/uploader/main.cpp", "hsm/signer/", "protocol/log/"),
         "lower floors return errors; the edge logs once"),
    Home(r"cap-ng\.h|seccomp\.h|linux/(landlock|seccomp)\.h", ("hsm/signer/",),
         "rights are given up in one place, by the process that loads the module"),
    Home(r"google/protobuf/.*",
         ("protocol/", "stations/", "hsm/signer/", "appliance/signers/"),
         "messages end where a wire ends"),
    Home(r"google/benchmark.*|benchmark/.*|gtest/.*|gmock/.*", (),
         "test parts stay in tests/"),
)

# --- what is not written ------------------------------------------------------------------------


class Rule(NamedTuple):
    name: str
    pattern: str  # on code: comments and string contents blanked, unless `raw`
    files: str  # regular expression on the path
    why: str
    unless: str = r"(?!)"  # on the same line or the line before
    raw: bool = False


CPP = r"\.(cpp|h)$"
PRODUCT_CPP = r"^(protocol|hsm|stations|appliance)/.*\.(cpp|h)$"
RULES = (
    Rule("no raw new", r"\bnew\s+[A-Za-z_:(]", PRODUCT_CPP,
         "ownership is a type; only a private constructor needs unique_ptr<T>(new T)",
         unless=r"_ptr<[^;]*>\(\s*$|_ptr<[^;]*>\(\s*new\b|_ptr<[^;]*>\s+\w+\(\s*(new\b|$)"
                r"|\.reset\(\s*new\b"),
    Rule("no raw delete", r"\bdelete\b\s*(\[\s*\])?\s*[A-Za-z_(*]", CPP,
         "what is freed by hand is forgotten on an error path"),
    Rule("no malloc", r"\b(malloc|calloc|realloc|free)\s*\(", PRODUCT_CPP,
         "memory has an owner with a destructor", unless=r"OPENSSL_|Free|_free"),
    Rule("no sleep", r"\b(sleep|usleep|nanosleep|clock_nanosleep|sleep_for|sleep_until)\s*\(", CPP,
         "a sleep is a guess about another thread; wait for the event, or use a timer"),
    Rule("no detached threads", r"\bdetach\s*\(\s*\)|\bpthread_detach\b", CPP,
         "a thread that nobody joins outlives what it uses"),
    Rule("no std::async", r"\bstd::async\b", PRODUCT_CPP, "its future blocks where nobody expects it"),
    Rule("no shell", r"(?<![\w:.>])(std::)?(system|popen)\s*\(", PRODUCT_CPP,
         "a shell gives meaning to bytes that came from outside"),
    Rule("no throw", r"\bthrow\b", PRODUCT_CPP, "errors are values here; we catch, we do not throw"),
    Rule("no unsafe string functions", r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol)\s*\(",
         CPP, "no length, or no error"),
    Rule("one clock", r"system_clock\s*::\s*now|\bgettimeofday\s*\(|(?<![\w.>])time\s*\(\s*(nullptr|NULL|0)\s*\)",
         r"^(?!protocol/base/clock\.cpp)(protocol|hsm|stations|appliance)/.*\.(cpp|h)$",
         "time comes through Clock, so that tests can bring their own"),
    Rule("no environment", r"\b(secure_)?getenv\s*\(",
         r"^(?!hsm/signer/|hsm/ceremony/|appliance/daemon/|appliance/cli/|stations/client/)"
         r"(protocol|hsm|stations|appliance)/.*\.(cpp|h)$",
         "configuration comes from one file; programs read the few variables that systemd sets"),
    Rule("no using namespace in headers", r"\busing\s+namespace\b", r"\.h$",
         "it changes the meaning of other people's files"),
    Rule("include guards", r"#\s*pragma\s+once", r"\.h$", "the house form is LINESIGN_PATH_H_"),
    Rule("parts of a header comment on lines of their own",
         r"(?m)^// .*\S (Shape|Limits|Errors|Threads|Source|Files|Ownership|Lifetimes|Durability)  +\S",
         r"\.h$", "the formatter joins a line that was too long to the next", raw=True),
    Rule("TODO names its issue", r"\b(TODO|FIXME|XXX)\b(?!\(#\d+\))",
         r"\.(cpp|h|sh|cmake|proto|sql)$|CMakeLists\.txt$|^tests/(?!floors).*\.py$",
         "a wish without an issue is never done", raw=True),
    Rule("no machine paths", r"(?<![\w.])/(home|Users|root|work)/[\w.]",
         r"\.(cpp|h|sh|py|cmake|txt|md|toml|proto|sql|json|example)$|^\.ci/",
         "the tree works wherever it is checked out", raw=True),
)

# Files in which a rule does not hold, by name of the rule.
EXCEPTIONS = {
    "no sleep": {
        "appliance/admin/client/admin_client.cpp": "another process has no room; nothing tells when",
        "appliance/cli/status_command.cpp": "--wait asks a process that may not run yet",
        "hsm/signer/startup.cpp": "another process holds the token for a moment; nothing tells when",
        "tests/support/hsm_simulator.cpp": "an HSM that takes its time",
    },
    "no throw": {
        "appliance/admin/api/json_fields.cpp": "Poco's JSON throws for every missing member; what it "
                                           "does not check joins in, and one place catches all",
    },
}

# --- reading ------------------------------------------------------------------------------------

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]', re.M)
# At the beginning of a line: what is nested in a class is indented.
NAMED = re.compile(
    r"^namespace (?P<namespace>[\w:]+) \{|"
    r"^(?:class|struct|enum class) (?P<type>\w+)(?: final)?(?: : ?[^{;]*)? ?\{", re.M)
# The text of an unnamed namespace, and what is defined in it at the beginning of a line.
UNNAMED = re.compile(r"^namespace \{\n(.*?)^\}  // namespace$", re.M | re.S)
LOCAL = re.compile(
    r"^(?:struct|class|enum class) (?P<type>\w+)\b[^;(]*\{|"
    r"^(?:static )?(?:constexpr|const) [^(\n]*?\b(?P<constant>\w+)(?:\[\w*\])*(?: =|\{)|"
    r"^(?!using|struct|class|enum|template|constexpr \w+ k)(?:[\w:]+(?:<[^;()]*>)?[ *&]+)+"
    r"(?P<function>\w+)\((?P<parameters>[^;{}]*?)\)(?: noexcept)? \{", re.M)
TOKENS = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)


def code_only(text):
    """The text with comments and the contents of strings blanked, lines kept."""

    def blank(match):
        found = match.group(0)
        if found.startswith("'") and found.count("'") == 2 and len(found) > 4:
            return found  # digit separators: 1'000'000
        kept = re.sub(r"[^\n]", " ", found)
        return '"' + kept[1:-1] + '"' if found.startswith('"') and len(kept) > 1 else kept

    return TOKENS.sub(blank, text)


class Source(NamedTuple):
    name: str
    text: str
    code: str


def read_sources():
    sources = []
    for name in files_of_tree():
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # test vectors
        sources.append(Source(name, text, code_only(text) if re.search(CPP, name) else text))
    return sources


def line_of(text, position):
    return text.count("\n", 0, position) + 1


# --- checking -----------------------------------------------------------------------------------


def floor_of(name):
    found = [floor for floor in FLOORS if name.startswith(floor.folder)]
    return max(found, key=lambda floor: len(floor.folder)) if found else None


def includes_of(source):
    for match in INCLUDE.finditer(source.text):
        yield match.group(1), match.group(2), line_of(source.text, match.start())


def breaches_of_floor(floor, sources):
    for source in sources:
        if not re.search(CPP, source.name) or floor_of(source.name) is not floor:
            continue
        for quote, header, line in includes_of(source):
            own = header.startswith(PRODUCT + ("tests/",))
            if own and not header.startswith(floor.may_include):
                yield f"{source.name}:{line}: includes {header}: {floor.why}"
            if quote == '"' and not own:
                yield f"{source.name}:{line}: \"{header}\" is not a path from the root of the tree"


def breaches_of_home(home, taken, sources):
    for source in sources:
        if not source.name.startswith(PRODUCT) or not re.search(CPP, source.name):
            continue
        for quote, header, line in includes_of(source):
            if quote != "<" or not re.fullmatch(home.header, header):
                continue
            if any(re.fullmatch(earlier.header, header) for earlier in taken):
                continue  # a narrower row decides
            if not source.name.startswith(home.folders or ("no folder",)):
                yield f"{source.name}:{line}: includes <{header}>: {home.why}"


def breaches_of_rule(rule, sources):
    for source in sources:
        if not re.search(rule.files, source.name) or source.name == "tests/floors.py":
            continue
        if source.name in EXCEPTIONS.get(rule.name, {}):
            continue
        text = source.text if rule.raw else source.code
        lines = text.split("\n")
        for match in re.finditer(rule.pattern, text):
            line = line_of(text, match.start())
            around = lines[line - 1], lines[line - 2] if line > 1 else ""
            if not any(re.search(rule.unless, each) for each in around):
                yield f"{source.name}:{line}: {lines[line - 1].strip()[:80]}: {rule.why}"


def breaches_of_guards(sources):
    for source in sources:
        if not source.name.startswith(PRODUCT) or not source.name.endswith(".h"):
            continue
        guard = "LINESIGN_" + re.sub(r"\W", "_", source.name.upper()) + "_"
        if f"#ifndef {guard}\n#define {guard}\n" not in source.text:
            yield f"{source.name}: its guard is not {guard}"
        if not source.text.startswith("// "):
            yield f"{source.name}: does not begin with what it is"


def breaches_of_names(sources):
    """Two classes of one name become one where a program links both, and nothing warns of it."""
    homes = {}
    for source in sources:
        if not source.name.endswith(".h"):
            continue
        namespace = ""
        for match in NAMED.finditer(source.code):
            if match.group("namespace") is not None:
                namespace = match.group("namespace")
                continue
            first = homes.setdefault((namespace, match.group("type")), source.name)
            if first != source.name:
                yield (f"{source.name}:{line_of(source.code, match.start())}: "
                       f"{match.group('type')} is in {first} as well: one name, one type")


def breaches_of_unnamed_names(sources):
    """A folder's files are compiled together: what is local to one is local to all of them."""
    homes = {}
    for source in sources:
        if not source.name.startswith(PRODUCT + ("tests/unit/",)) or not source.name.endswith(".cpp"):
            continue
        for part in UNNAMED.finditer(source.text):
            for match in LOCAL.finditer(source.code, *part.span(1)):
                name = match.group(match.lastgroup if match.lastgroup != "parameters" else "function")
                types = [re.sub(r"\s+|\w+$", "", each.split("=")[0].strip())
                         for each in (match.group("parameters") or "").split(",")]
                key = (source.name.rpartition("/")[0], name, tuple(types))
                first = homes.setdefault(key, source.name)
                if first != source.name:
                    line = line_of(source.code, match.start())
                    yield f"{source.name}:{line}: {name} is in {first} as well"


def main():
    sources = read_sources()
    checks = [(f"floor {floor.folder}", breaches_of_floor(floor, sources)) for floor in FLOORS]
    checks += [(f"home of {home.header}", breaches_of_home(home, HOMES[:row], sources))
               for row, home in enumerate(HOMES)]
    checks += [(rule.name, breaches_of_rule(rule, sources)) for rule in RULES]
    checks.append(("header form", breaches_of_guards(sources)))
    checks.append(("one name, one type", breaches_of_names(sources)))
    checks.append(("one local name in a folder", breaches_of_unnamed_names(sources)))
    failed = 0
    for name, breaches in checks:
        found = list(breaches)
        failed += bool(found)
        for breach in found:
            print(f"{name}: {breach}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
