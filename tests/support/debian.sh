#!/usr/bin/env bash
# debian.sh: both commands on a new machine: a chroot that has the minimal system of a release of
# Debian, and the source as an archive would bring it (no git, no terminal, the C locale).
#
#   debian.sh RELEASE FOLDER     bookworm or trixie; the commands' output goes into FOLDER
#
# Ends with "N passed, N failed", one count per command. Wants root, mmdebstrap and Debian's archive.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly kPlace=/srv/linesign
release=$1
logs=$2
chroot_dir=

cannot() {
  echo "error: Debian $release was not tried: $1"
  echo "0 passed, 2 failed"
  exit 1
}

make_chroot() {
  if ((EUID != 0)); then cannot "only root can make a chroot"; fi
  if ! command -v mmdebstrap >/dev/null; then cannot "mmdebstrap is not installed"; fi
  chroot_dir=$(mktemp -d "/var/tmp/linesign-$release.XXXXXX")
  trap 'rm -rf --one-file-system "$chroot_dir"' EXIT
  if ! mmdebstrap --quiet --variant=minbase "$release" "$chroot_dir" >"$logs/chroot.log" 2>&1; then
    tail -n 20 "$logs/chroot.log"
    cannot "the chroot could not be made; the whole output is in $logs/chroot.log"
  fi
  cp /etc/resolv.conf "$chroot_dir/etc/resolv.conf"
  mkdir -p "$chroot_dir$kPlace"
  /usr/bin/python3 tests/support/tree.py | tar -c --files-from=- | tar -x -C "$chroot_dir$kPlace"
}

# Its mounts and processes end with it, however it ends.
in_chroot() { # COMMAND...
  # shellcheck disable=SC2016 # the inner shell expands
  unshare --mount --pid --fork --kill-child bash -c '
    mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" &&
      exec env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$1" \
        bash -c "cd \"\$0\" && exec \"\$@\"" "${@:2}"' - "$chroot_dir" "$kPlace" "$@" </dev/null
}

main() {
  local passed=0 failed=0 name
  mkdir -p "$logs"
  make_chroot
  for name in appliance/demo.sh tests/check.sh; do
    if in_chroot bash "$name" >"$logs/$(basename "$name" .sh).log" 2>&1; then
      passed=$((passed + 1))
    else
      failed=$((failed + 1))
      echo "error: on Debian $release, bash $name:"
      tail -n 60 "$logs/$(basename "$name" .sh).log"
    fi
  done
  echo "$passed passed, $failed failed"
}

main
