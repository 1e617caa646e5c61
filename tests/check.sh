#!/usr/bin/env bash
# check.sh: installs what is missing, builds, and runs every test and check of linesign.
#
#   bash tests/check.sh [-u] [-s] [-f NAME] [--long] [--no-install] [--list]
#
#   -u            only the unit and contract tests
#   -s            only the system tests
#   -f NAME       only the stage NAME (see --list), after the stage build if it needs the programs;
#                 or only the tests whose name contains NAME
#   --long        longer runs: 200 kills of each program, a lot of 100,000, the whole sweep of faults
#                 (2,000 kills, 500 pairs), every mutant built and tried; and the stage debian: both
#                 commands in chroots of Debian 12 and 13, which only root can make
#   --no-install  do not install Debian packages
#   --list        print the stages and stop
#
# The last line is "N passed, N failed": every test case and every static check is counted. Exit
# code 1 if one failed. The full output of each stage is in build/check/STAGE.log.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tests/support/packages.sh
source tests/support/packages.sh

readonly kStages=(format floors shell links tidy build linkage unit threads commands system
  faults mutants)
readonly kLongStages=(debian)
readonly kOfPrograms=(linkage commands system faults) # stages that need those of the stage build
readonly kReleases=(bookworm trixie)
readonly kPrograms=(linesignd linesign-signer linesign linesign-station linesign-uploader)
readonly kTools=(fill_ledger linesign_fat_medium linesign_faulty_module linesign_hostile_module
  linesign_hsm_simulator linesign_system_faults read_aws_profile) # of the system tests
readonly kPython=/usr/bin/python3
readonly kLogs=build/check
jobs=$(nproc)
test_jobs=$((jobs + 1)) # tests wait for timers and other programs now and then

usage() { sed -n '3,/^# code/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

# --- stages: each writes to standard output and ends with "N passed, N failed" ------------------

tree_files() { $kPython tests/support/tree.py "$@"; } # PATTERN...

# The first of the tools that is here: releases of Debian have different ones (packages.txt).
first_tool() { # NAME...
  local name
  for name in "$@"; do
    if command -v "$name" >/dev/null; then
      echo "$name"
      return 0
    fi
  done
  echo "none of these is installed: $*" >&2
  return 1
}

# Runs a command on each file and counts files.
count_files() { # COMMAND... -- FILE...
  local command=() passed=0 failed=0 file
  while [[ $1 != -- ]]; do
    command+=("$1")
    shift
  done
  shift
  for file in "$@"; do
    if "${command[@]}" "$file"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  done
  echo "$passed passed, $failed failed"
}

configure() { # PRESET
  local launcher=()
  if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
  cmake --preset "$1" -DLINESIGN_WERROR=ON "${launcher[@]}"
}

# Both versions lay this tree out alike; 18 and later do not (docs/decisions/0016).
stage_format() {
  local files tool
  tool=$(first_tool clang-format-14 clang-format-17)
  mapfile -t files < <(tree_files '*.cpp' '*.h')
  count_files "$tool" --dry-run -Werror -- "${files[@]}"
}

stage_floors() { $kPython tests/floors.py; }

stage_shell() {
  local files
  mapfile -t files < <(tree_files '*.sh' '.ci/run')
  count_files shellcheck -x -- "${files[@]}"
}

stage_links() { $kPython tests/docs.py links; }

# The messages and everything else that is generated must exist before clang-tidy can read. The
# preset dev, because there each file has a compile command of its own.
stage_tidy() {
  local tool
  tool=$(first_tool clang-tidy-16 clang-tidy-17)
  configure dev >/dev/null
  cmake --build --preset dev --parallel "$jobs" --target linesign_messages
  $kPython tests/support/tidy.py build/dev --jobs "$jobs" --tool "$tool"
}

# The programs, and what system tests need: the other tests are built once, with the sanitizers.
stage_build() {
  configure release
  cmake --build --preset release --parallel "$jobs" --target "${kPrograms[@]}" "${kTools[@]}"
  echo "1 passed, 0 failed"
}

# What a program is linked with is what it can reach (docs/threat-model.md): linesignd, the uploader
# and the station's program no token, and nobody but linesignd the ledger's file.
stage_linkage() {
  local passed=0 failed=0 program library
  linked() { readelf -d "build/release/bin/$1" | grep -E "NEEDED.*\[$2\.so"; }
  # A static library of ours could bring the calls in without the shared one.
  calls() { nm -C --undefined-only "build/release/bin/$1" | grep -E "$2"; }
  expect_none() { # WORDS FOUND
    if [[ -n $2 ]]; then
      echo "$1: $2"
      failed=$((failed + 1))
    else
      passed=$((passed + 1))
    fi
  }
  for program in linesignd linesign-station linesign-uploader; do
    for library in libp11 libsofthsm2 libpkcs11 libp11-kit; do
      expect_none "$program is linked with $library" "$(linked "$program" "$library")"
    done
    expect_none "$program calls libp11" "$(calls "$program" ' (PKCS11_|C_GetFunctionList)')"
  done
  for program in linesign linesign-signer linesign-station linesign-uploader; do
    for library in libsqlite3 libPocoData libPocoDataSQLite; do
      expect_none "$program is linked with $library" "$(linked "$program" "$library")"
    done
    expect_none "$program calls SQLite" "$(calls "$program" ' sqlite3_')"
  done
  echo "$passed passed, $failed failed"
}

run_ctest() { # PRESET CTEST-ARGUMENT...
  local preset=$1
  shift
  local junit=$PWD/$kLogs/ctest-$preset.xml filter=()
  if [[ -n $name_filter ]]; then filter=(-R "$name_filter"); fi
  rm -f "$junit"
  ctest --preset "$preset" --parallel "$test_jobs" --output-junit "$junit" "${filter[@]}" "$@" || true
  $kPython tests/support/count_junit.py "$junit"
}

stage_unit() {
  configure asan
  cmake --build --preset asan --parallel "$jobs"
  run_ctest asan
}

# Only the test programs with label `threads`: under ThreadSanitizer the rest would say nothing new.
stage_threads() {
  configure tsan
  local targets
  mapfile -t targets < <($kPython tests/support/labelled_tests.py threads)
  if ((${#targets[@]} == 0)); then
    echo "no test has the label threads"
    echo "0 passed, 1 failed"
    return
  fi
  cmake --build --preset tsan --parallel "$jobs" --target "${targets[@]}"
  run_ctest tsan -L threads
}

stage_commands() { $kPython tests/docs.py commands build/release/bin; }

# Files side by side: most tests wait for other programs. Each has its own folder, token and ports.
stage_system() {
  local junit=$PWD/$kLogs/pytest.xml filter=()
  if [[ -n $name_filter ]]; then filter=(-k "$name_filter"); fi
  if ((long_runs)); then filter+=(--long); fi
  rm -f "$junit"
  LINESIGN_BIN=$PWD/build/release/bin $kPython -m pytest -p no:cacheprovider -v --durations=15 \
    --numprocesses "$test_jobs" --dist loadfile --junitxml="$junit" "${filter[@]}" tests/system || true
  $kPython tests/support/count_junit.py "$junit"
}

# Each kind of fault once, and a few pairs of them; with --long many times, and others each time: what
# one run finds by chance must not depend on whose run it was.
stage_faults() {
  local more=(--seed 1)
  if ((long_runs)); then more=(--long); fi
  LINESIGN_BIN=$PWD/build/release/bin $kPython tests/faults/sweep.py "${more[@]}"
}

# That each mutant's line is still there; with --long that a test kills each mutant.
stage_mutants() {
  local more=()
  if ((long_runs)); then more=(--run); fi
  $kPython tests/mutants/mutants.py "${more[@]}"
}

# On new machines, from a source archive (tests/support/debian.sh).
stage_debian() {
  local passed=0 failed=0 release count
  for release in "${kReleases[@]}"; do
    bash tests/support/debian.sh "$release" "$PWD/$kLogs/$release" | tee "$kLogs/$release.log" || true
    count=$(tail -n 1 "$kLogs/$release.log")
    passed=$((passed + ${count%% passed*}))
    count=${count##*, }
    failed=$((failed + ${count%% failed}))
  done
  echo "$passed passed, $failed failed"
}

# --- running them -------------------------------------------------------------------------------

total_passed=0
total_failed=0
name_filter=
long_runs=0

# A stage that dies without a count, or counts nothing, is one failure.
run_stage() { # NAME
  local stage=$1 log=$kLogs/$1.log started=$SECONDS counts passed failed word=ok
  printf '%-9s ' "$stage"
  set +e # not `if (...)`: there the shell would go on after a failed command
  (
    set -euo pipefail
    "stage_$stage"
  ) >"$log" 2>&1
  set -e
  counts=$(tail -n 1 "$log" | grep -Ex '[0-9]+ passed, [0-9]+ failed' || echo '0 passed, 1 failed')
  passed=${counts%% passed*}
  failed=${counts##*, }
  failed=${failed%% failed}
  if ((passed + failed == 0)) && [[ -z $name_filter ]]; then
    echo "nothing was tested" >>"$log"
    failed=1
  fi
  total_passed=$((total_passed + passed))
  total_failed=$((total_failed + failed))
  if ((failed > 0)); then word=FAILED; fi
  printf '%-6s %6s in %4s s\n' "$word" "$counts" "$((SECONDS - started))"
  if ((failed > 0)); then
    grep -E '(error|Error|FAILED|fatal)[: ]' "$log" | head -n 15 | sed 's/^/    /' || true
    echo "    ... the end of $log:"
    tail -n 40 "$log" | sed 's/^/    /'
  fi
}

main() {
  local install=1 stages=("${kStages[@]}") stage
  while (($# > 0)); do
    case $1 in
      -u) stages=(unit) ;;
      -s) stages=(build system faults) ;;
      -f)
        name_filter=${2:?-f wants a name}
        shift
        ;;
      --long) long_runs=1 ;;
      --no-install) install=0 ;;
      --list)
        printf '%s\n' "${kStages[@]}" "${kLongStages[@]}"
        exit 0
        ;;
      -h | --help)
        usage
        exit 0
        ;;
      *)
        usage >&2
        exit 64
        ;;
    esac
    shift
  done
  if [[ -n $name_filter ]]; then
    for stage in "${kStages[@]}" "${kLongStages[@]}"; do
      if [[ $stage == "$name_filter" ]]; then
        stages=("$stage")
        if [[ " ${kOfPrograms[*]} " == *" $stage "* ]]; then stages=(build "$stage"); fi
        name_filter=
        break
      fi
    done
    if [[ -n $name_filter && ${#stages[@]} == "${#kStages[@]}" ]]; then stages=(build unit system); fi
  fi

  if ((long_runs && ${#stages[@]} == ${#kStages[@]})); then stages+=("${kLongStages[@]}"); fi

  mkdir -p "$kLogs"
  local sections=(build demo test)
  if [[ " ${stages[*]} " == *" debian "* ]]; then sections+=(long); fi
  if ((install)); then install_packages appliance/packages.txt "${sections[@]}"; fi
  for stage in "${stages[@]}"; do run_stage "$stage"; done
  echo "$total_passed passed, $total_failed failed"
  if ((total_failed > 0)); then exit 1; fi
}

main "$@"
