# packages.sh: what both commands need to know about Debian packages. To be sourced, not run.
# shellcheck shell=bash
#
#   install_packages LIST SECTION...   installs what is missing of these sections of LIST
#
# A line of LIST is a package, or several with " | " between: releases have different ones, and the
# first that this release has is taken. The last may be "none": some tests fail where there is none.

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

is_installed() { # PACKAGE
  local state
  state=$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null || true)
  [[ $state == installed ]]
}

# Prints the lines of which no alternative is installed.
missing_packages() { # LINE...
  local line package alternatives
  for line in "$@"; do
    IFS=' |' read -ra alternatives <<<"$line"
    for package in "${alternatives[@]}"; do
      if is_installed "$package"; then continue 2; fi
    done
    echo "$line"
  done
}

# Prints of each line the first package that apt can install, or the first of all: then apt says
# that it does not have it.
choose_packages() { # LINE...
  local line package alternatives
  for line in "$@"; do
    IFS=' |' read -ra alternatives <<<"$line"
    for package in "${alternatives[@]}"; do
      if [[ $package == none ]]; then
        echo "This release has no package ${alternatives[0]}: tests that need it will fail." >&2
        continue 2
      fi
      if LC_ALL=C apt-cache policy "$package" 2>/dev/null | grep -Eq 'Candidate: [^(]'; then
        echo "$package"
        continue 2
      fi
    done
    echo "${alternatives[0]}"
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
      mapfile -t missing < <(choose_packages "${missing[@]}")
      echo "These packages are missing and only root can install them:" >&2
      echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  local log
  log=$(mktemp)
  if "${as_root[@]}" apt-get update -q >"$log" 2>&1; then
    # Only now it is known what this release has.
    mapfile -t missing < <(choose_packages "${missing[@]}")
    if ((${#missing[@]} == 0)); then return 0; fi
    echo "Installing ${#missing[@]} Debian packages: ${missing[*]}"
    if "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -q -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
      rm -f "$log"
      return 0
    fi
  fi
  tail -n 20 "$log" >&2
  echo "The packages could not be installed; the whole output is in $log." >&2
  return 1
}
