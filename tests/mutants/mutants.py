#!/usr/bin/python3
"""Mutants: one change each of a line that keeps a promise. A test must fail for each of them, or the
promise is kept by nobody.

  mutants.py           each mutant's line is in the tree exactly once
  mutants.py --run     builds each one, in a copy of the tree, and runs its tests: all must be killed
       [--only NAME]   this one (may be repeated)
       [--here BUILD]  in this tree and this build folder, for a quick look; the line is put back

Prints one line for each and ends with "N passed, N failed".
"""

import argparse
import filecmp
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support.tree import ROOT, files_of_tree  # noqa: E402

TEST_SECONDS = 300


class Mutant(NamedTuple):
    name: str
    promise: str
    file: str
    line: str  # unique in the file; more than one line if need be
    instead: str
    tests: str  # the program that is expected to kill it
    filter: str = "*"


MUTANTS = (
    # --- files
    Mutant("folder-not-synced", "a file that was written is there after a power cut",
           "protocol/base/file.cpp",
           "if (durability == Durability::Synced) return sync_directory(directory);", "",
           "protocol_durability_test"),
    Mutant("content-not-synced", "a file that is there after a power cut is whole",
           "protocol/base/file.cpp",
           "if (durability == Durability::Synced && ::fsync(fd.get()) != 0)", "if (false)",
           "protocol_durability_test"),
    # --- the life of a request
    Mutant("stale-intent", "what was asked before the ledger was lost is not taken for new",
           "appliance/issuance/issuance.cpp",
           "const bool is_current = recording_.erase(submission.request.id) > 0;",
           "recording_.erase(submission.request.id);\n  const bool is_current = true;", "appliance_issuance_test"),
    Mutant("two-ends", "an intent has one end, though two signers may sign it",
           "appliance/issuance/issuance.cpp",
           "if (std::exchange(item->second.is_ending, true)) return;", "",
           "appliance_issuance_test"),
    Mutant("foreign-profile", "intents of another profile are never signed with this one",
           "appliance/issuance/issuance.cpp",
           "if (each.profile_hash() == builder_.profile_hash()) continue;", "continue;",
           "appliance_issuance_test"),
    Mutant("not-producing", "nothing is begun while something is in doubt",
           "appliance/issuance/issuance.cpp",
           "if (!health_.is_producing()) {", "if (false) {", "appliance_issuance_test"),
    # --- the signer
    Mutant("unverified", "no signature leaves that the CA's key does not verify",
           "hsm/signer/signing_worker.cpp",
           "LS_CHECK(verifier_.verify(digest, signature));", "", "hsm_signer_test"),
    Mutant("no-proof", "no certificate for a key that the requester has not",
           "hsm/signer/signing_worker.cpp", "LS_CHECK(proof_.verify(csr));", "", "hsm_signer_test"),
    Mutant("other-bytes", "the HSM sees only what a durable intent names",
           "hsm/signer/signing_worker.cpp",
           "return fail(ErrorCode::IntentMismatch, fmt::format(\"device '{}'\", item.device_id()));",
           "static_cast<void>(0);", "hsm_signer_test"),
    Mutant("other-check", "what was checked is signed for the intent that names it and no other",
           "hsm/signer/signing_worker.cpp",
           "if (built && !equal(built->tbs_hash, as_bytes(item.tbs_sha256())))", "if (false)",
           "hsm_signer_test"),
    Mutant("stopped-meanwhile", "no intent is written when production stopped during its check",
           "appliance/issuance/issuance.cpp",
           "if (is_asked && still) {", "if (is_asked) {", "appliance_issuance_test"),
    # --- the ledger
    Mutant("two-identities", "a device has one identity in an order",
           "appliance/ledger/migrations/0001_initial.sql", "  UNIQUE (order_id, device_id),\n", "",
           "ledger_test"),
    Mutant("one-key-twice", "a key is certified once",
           "appliance/ledger/migrations/0001_initial.sql",
           "key_sha256 BLOB    NOT NULL UNIQUE,", "key_sha256 BLOB    NOT NULL,", "ledger_test"),
    Mutant("over-quantity", "an order never makes more than its quantity",
           "appliance/ledger/ledger_issuance.cpp",
           "order->reserved >= *order->quantity", "order->reserved > *order->quantity",
           "ledger_test"),
    Mutant("final-too-soon", "nothing is said for ever while an intent may end as VOID",
           "appliance/ledger/ledger_issuance.cpp",
           "if (devices != 0 && is_final)", "if (devices != 0)", "ledger_test"),
    Mutant("request-reused", "a request id never gets the answer of another request",
           "appliance/ledger/ledger_issuance.cpp",
           "is_conflict = row.array<32>(3) != intent.csr_hash ||", "is_conflict =", "ledger_test"),
    Mutant("not-durable", "no certificate leaves before its row is on the disk",
           "appliance/ledger/database.cpp",
           '"PRAGMA synchronous = FULL;"', '"PRAGMA synchronous = OFF;"', "ledger_test"),
    Mutant("page-cache", "what an fsync lost is not believed because it can be read",
           "appliance/ledger/database.cpp",
           'LS_CHECK(write_again(log));', "", "ledger_test"),
    Mutant("known-failure", "a failed commit is unknown, not undone",
           "appliance/ledger/group_commit_loss.cpp",
           "if (reason.code() == ErrorCode::LedgerCommitUnknown) return reason;", "",
           "group_commit_test"),
    Mutant("deleted-log", "a commit into a deleted log is not called durable",
           "appliance/ledger/ledger.cpp",
           "done = check_files();", "", "group_commit_test"),
    Mutant("older-copy", "an older copy of the ledger is refused",
           "appliance/ledger/ledger_state.cpp",
           "if (is_behind(found.state, *known))", "if (false)", "ledger_test"),
    Mutant("missing-log", "a log that is missing after a kill is noticed",
           "appliance/ledger/ledger_state.cpp",
           "known->is_closed || has_log", "true || has_log", "ledger_test"),
    Mutant("log-of-a-word", "an operator's word after a kill leaves the log that the next start wants",
           "appliance/ledger/database.cpp",
           "if (has_log) (*database)->keep_wal();", "", "ledger_test"),
    Mutant("upgrade-half", "an upgrade whose first record is not written yet is still one",
           "appliance/ledger/ledger_state.cpp",
           "if (found.awaits_record) return {};", "", "ledger_test"),
    Mutant("old-epoch", "what was asked of a lost ledger is not done in the next one",
           "appliance/ledger/group_commit.cpp",
           "return ledger_ == nullptr || item.epoch != epoch_;", "return ledger_ == nullptr;",
           "group_commit_test"),
    Mutant("times-of-a-row", "no certificate is committed before its intent, whatever the clock does",
           "appliance/ledger/ledger_statements.cpp",
           "max($3, coalesce((SELECT issued_at FROM issuance WHERE id = $1), 0))", "$3",
           "ledger_test"),
    # --- stations
    Mutant("token-again", "a join token works once",
           "appliance/ledger/ledger_stations.cpp",
           "WHERE id = $5 AND state = 1", "WHERE id = $5", "ledger_test"),
    Mutant("token-other-key", "the reply to a token is for the key that used it",
           "appliance/ledger/ledger_stations.cpp",
           "if (row.token_key != key_hash) return fail(ErrorCode::TokenUsed, row.record.name);", "",
           "ledger_test"),
    Mutant("revoked-station", "a revoked station is heard no more",
           "appliance/daemon/station_registry.cpp",
           "if (found->second.revoked)", "if (false)", "daemon_test"),
    Mutant("no-certificate", "who has no certificate of the station CA is not heard",
           "stations/transport/tls_context.cpp",
           "SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT", "SSL_VERIFY_PEER",
           "stations_transport_test"),
    Mutant("other-key", "a station keeps no certificate of another key",
           "stations/client/certificate_checker.cpp",
           'if (!equal(outline->spki, spki_of_request)) return wrong("it carries another public key");',
           "", "stations_client_test"),
    # --- when in doubt, no
    Mutant("clock-behind", "no certificate is dated before those that are there",
           "appliance/issuance/clock_guard.cpp", "if (is_behind(now))", "if (false)",
           "appliance_issuance_test", "ClockGuardTest.*"),
    Mutant("confirmed-at-will", "nobody confirms a clock that is not in doubt",
           "appliance/issuance/clock_guard.cpp",
           "if (!error.has_value() && !is_doubted_)", "if (false)",
           "appliance_issuance_test", "ClockGuardTest.*"),
    Mutant("try-not-noted", "a PIN is noted on disk before it is tried",
           "hsm/pkcs11/pin_memory.cpp", "  ++entry.unknown;\n  return save();",
           "  ++entry.unknown;\n  return {};", "hsm_pkcs11_test", "PinMemory*"),
    Mutant("wrong-twice", "a signer with two wrong signatures signs no more",
           "appliance/signers/signature_watch.cpp",
           "const bool is_second = record.last_at && now - *record.last_at <= kWindow;",
           "const bool is_second = false;", "appliance_signers_test", "SignatureWatch*"),
    Mutant("one-source", "one address cannot take every place for a handshake",
           "stations/listener/pending_connections.cpp",
           "if (own_size >= limits_.per_source) {", "if (false) {",
           "stations_listener_test", "PendingConnections*"),
    Mutant("disk-full", "with less room than min_free nothing is signed",
           "appliance/startup/start_check.cpp",
           "if (free_bytes >= min_free_bytes) return {};", "return {};", "daemon_test"),
)


def mutated(tree, mutant):
    """The text of the file with the mutant's line; None if the line is not there exactly once."""
    path = tree / mutant.file
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return text.replace(mutant.line, mutant.instead) if text.count(mutant.line) == 1 else None


def copy_tree(folder):
    """Only what changed, so that the next build is a short one."""
    wanted = set(files_of_tree())
    for name in wanted:
        source, target = ROOT / name, folder / name
        if target.exists() and filecmp.cmp(source, target, shallow=False):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    for path in [each for each in folder.rglob("*") if each.is_file()]:
        if str(path.relative_to(folder)) not in wanted:
            path.unlink()


class Workshop:
    """A tree and its build folder."""

    def __init__(self, tree, build):
        self.tree = tree
        self.build = build

    @classmethod
    def copied(cls):
        folder = ROOT / "build" / "mutants"
        copy_tree(folder / "tree")
        shop = cls(folder / "tree", folder / "build")
        launcher = ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
        subprocess.run(["cmake", "-S", shop.tree, "-B", shop.build, "-G", "Ninja",
                        "-DCMAKE_BUILD_TYPE=Debug", *launcher], check=True,
                       stdout=subprocess.DEVNULL)
        return shop

    def make(self, *targets):
        return subprocess.run(["cmake", "--build", self.build, "--parallel", str(os.cpu_count()),
                               "--target", *targets], capture_output=True, text=True, check=False)

    def is_killed(self, tests, names):
        """By a test, or by a test that never ends because of it."""
        command = [self.build / "tests" / tests, f"--gtest_filter={names}", "--gtest_brief=1",
                   "--gtest_fail_fast"]
        try:
            return subprocess.run(command, capture_output=True, timeout=TEST_SECONDS,
                                  check=False).returncode != 0
        except subprocess.TimeoutExpired:
            return True


def try_mutant(shop, mutant):
    """Nothing if it was killed; else what is wrong."""
    path = shop.tree / mutant.file
    text = mutated(shop.tree, mutant)
    if text is None:
        return "its line is not in the file exactly once"
    kept = path.read_text(encoding="utf-8")
    try:
        path.write_text(text, encoding="utf-8")
        built = shop.make(mutant.tests)
        if built.returncode != 0:
            return f"it does not build:\n{built.stdout[-2000:]}{built.stderr[-2000:]}"
        if not shop.is_killed(mutant.tests, mutant.filter):
            return f"it SURVIVED {mutant.tests}: {mutant.promise}"
        return None
    finally:
        path.write_text(kept, encoding="utf-8")


def run_all(shop, mutants):
    tests = sorted({mutant.tests for mutant in mutants})
    built = shop.make(*tests)
    if built.returncode != 0:
        print(built.stdout[-4000:] + built.stderr[-4000:])
        return len(mutants)
    failed = 0
    for each in tests:
        if shop.is_killed(each, "*"):
            print(f"FAILED: {each} fails without any mutant")
            failed += 1
    for mutant in mutants:
        wrong = try_mutant(shop, mutant)
        failed += wrong is not None
        print(f"{mutant.name:20} {'killed' if wrong is None else 'FAILED: ' + wrong}", flush=True)
    shop.make(*tests)  # as they were, for the next run
    return failed


def check_lines(mutants):
    failed = 0
    for mutant in mutants:
        if mutated(ROOT, mutant) is None:
            failed += 1
            print(f"FAILED: {mutant.name}: {mutant.file} does not have exactly once: {mutant.line}")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", action="store_true")
    parser.add_argument("--only", action="append")
    parser.add_argument("--here", type=Path, metavar="BUILD")
    arguments = parser.parse_args()
    mutants = [each for each in MUTANTS if not arguments.only or each.name in arguments.only]
    if arguments.run:
        shop = Workshop(ROOT, arguments.here.resolve()) if arguments.here else Workshop.copied()
        failed = run_all(shop, mutants)
    else:
        failed = check_lines(mutants)
    print(f"{len(mutants) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
