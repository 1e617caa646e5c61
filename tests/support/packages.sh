# packages.sh: what both commands need to know about Debian packages. To be sourced, not run.
# shellcheck shell=bash
#
#   install_packages LIST SECTION...   installs what is missing of these sections of LIST

# Prints the packages of the sections, one per line.
packages_of() {
  local list=$1 wanted section=
  shift
  local line
  while IFS= read -r line; do
    case $line in
      '' | '#'*) continue ;;
      '['*']') section=${line:1:-1} ;;
      *)
        for wanted in "$@"; do
          if [[ $section == "$wanted" ]]; then echo "$line"; fi
        done
        ;;
    esac
  done <"$list"
}

# Prints the packages among the arguments that are not installed.
missing_packages() {
  local package state
  for package in "$@"; do
    state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    if [[ $state != installed ]]; then echo "$package"; fi
  done
}

install_packages() {
  local list=$1
  shift
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "This is not a Debian system: install by hand what $list names." >&2
    return 0
  fi
  local wanted missing
  mapfile -t wanted < <(packages_of "$list" "$@")
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  if ((${#missing[@]} == 0)); then return 0; fi

  local as_root=()
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
      echo "These packages are missing and only root can install them:" >&2
      echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  echo "Installing ${#missing[@]} Debian packages: ${missing[*]}"
  local log
  log=$(mktemp)
  if "${as_root[@]}" apt-get update -q >"$log" 2>&1 &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -q -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
    rm -f "$log"
    return 0
  fi
  tail -n 20 "$log" >&2
  echo "The packages could not be installed; the whole output is in $log." >&2
  return 1
}
