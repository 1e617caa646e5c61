#!/usr/bin/env bash
# demo.sh: the whole of linesign on one machine: a token with a CA key, the appliance, a station, a
# lot of devices that get their certificates, and AWS, which a double plays: nothing leaves here.
#
#   bash appliance/demo.sh [--dir DIR] [--lot N] [--key TYPE] [--no-wait]
#
#   --dir DIR   where everything is kept (default: linesign-demo below $TMPDIR or /tmp)
#   --lot N     how many devices (default: 1000)
#   --key TYPE  the CA's key: P-256 (default), P-384, RSA-2048, RSA-3072, RSA-4096
#   --no-wait   stop the appliance as soon as all is shown
#
# Run again with the same DIR it goes on from what is there: the same CA, the same station, and only
# the devices that have no certificate yet.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tests/support/packages.sh
source "$root/tests/support/packages.sh"

readonly kModule=/usr/lib/softhsm/libsofthsm2.so
readonly kLabel=linesign-demo
readonly kBin=$root/build/release/bin
dir=${TMPDIR:-/tmp}/linesign-demo
lot=1000
key_type=P-256
wait_for_enter=1
daemon=
aws_double=

usage() { sed -n '2,/^# the devices/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }
step() { printf '\n== %s\n' "$*"; }
fail() {
  printf 'demo: %s\n' "$*" >&2
  exit 1
}

read_arguments() {
  while (($# > 0)); do
    case $1 in
      --dir | --lot | --key)
        if (($# < 2)); then
          usage >&2
          exit 64
        fi
        case $1 in
          --dir) dir=$2 ;;
          --lot) lot=$2 ;;
          --key) key_type=$2 ;;
        esac
        shift
        ;;
      --no-wait) wait_for_enter=0 ;;
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
  if [[ ! $lot =~ ^[1-9][0-9]{0,6}$ ]]; then
    echo "--lot wants a number from 1 to 9999999" >&2
    exit 64
  fi
  case $key_type in
    P-256 | P-384 | RSA-2048 | RSA-3072 | RSA-4096) ;;
    *)
      echo "--key is one of P-256, P-384, RSA-2048, RSA-3072, RSA-4096" >&2
      exit 64
      ;;
  esac
  if [[ ! -t 0 || ! -t 1 ]]; then wait_for_enter=0; fi
}

build() {
  local log=$root/build/demo-build.log
  mkdir -p "$root/build"
  if ! (
    cd "$root" && cmake --preset release &&
      cmake --build --preset release --parallel "$(nproc)" \
        --target linesignd linesign-signer linesign linesign-station linesign-uploader
  ) >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    fail "the build failed; the whole output is in $log"
  fi
}

# softhsm2-util takes PINs on its command line; linesign itself never does.
make_token() {
  mkdir -p "$dir/tokens"
  printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' \
    "$dir/tokens" >"$dir/softhsm2.conf"
  local pin so_pin
  pin=$(openssl rand -hex 12)
  so_pin=$(openssl rand -hex 12)
  softhsm2-util --init-token --free --label "$kLabel" --pin "$pin" --so-pin "$so_pin" >/dev/null
  (
    umask 077
    printf '%s\n' "$pin" >"$dir/pin.new"
  )
  chmod 0400 "$dir/pin.new"
  mv "$dir/pin.new" "$dir/pin"
}

write_ceremony() {
  cat >"$dir/ceremony.toml" <<END
# Read this before the ceremony: it is all that will be done.
[token]
module = "$kModule"
label = "$kLabel"
pin_file = "pin"

[key]
type = "$key_type"
label = "device-ca"

[ca]
kind = "root"
subject = ["O=linesign demo", "CN=linesign demo device CA"]
validity = "30y"

[output]
certificate = "ca.pem"
transcript = "ca-transcript.txt"
who = ["the person who ran demo.sh"]
END
}

make_ca() {
  if [[ -f $dir/ca.pem ]]; then
    if ! grep -qx "type = \"$key_type\"" "$dir/ceremony.toml"; then
      fail "$dir holds a CA with another type of key; choose another --dir for $key_type"
    fi
    echo "goes on with the CA in $dir/ca.pem"
    return 0
  fi
  if [[ -d $dir/tokens ]]; then # an earlier run was stopped before the ceremony was done
    chmod -R u+w "$dir/tokens"
    rm -rf "$dir/tokens" "$dir/pin"
  fi
  make_token
  write_ceremony
  "$kBin/linesign" ca init "$dir/ceremony.toml" >"$dir/ceremony.log" 2>&1 ||
    fail "the key ceremony failed: $(tail -n 5 "$dir/ceremony.log")"
  # A login to SoftHSM rewrites the token's files, and a power cut at that moment would empty them.
  # Signers only read: so nobody may write.
  chmod -R a-w "$dir/tokens"
  echo "CA key ($key_type) made inside the token, certificate in $dir/ca.pem"
  echo "what was done, for the files: $dir/ca-transcript.txt"
}

# A port that nobody listens on. It is written into the configuration: stations keep the address.
free_port() {
  local port
  for port in 7443 $(shuf -i 20000-29999 -n 20); do
    if ! (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "$port"
      return 0
    fi
  done
  fail "no free TCP port found"
}

write_config() {
  if [[ -f $dir/linesign.toml ]]; then return 0; fi
  cat >"$dir/linesign.toml.new" <<END
# The appliance's one configuration file. Every other key has its default; all of them are
# explained in appliance/config/linesign.toml.example. Paths are relative to this file.
[hsm]
module = "$kModule"
token_label = "$kLabel"
key_label = "device-ca"
pin_file = "pin" # read by linesign-signer only

[ca]
certificate = "ca.pem"

[profile]
preset = "aws-iot-device"
subject_fields = ["O=linesign demo"] # then CN = the device id
validity = "20y"

[stations]
listen = "127.0.0.1:$(free_port)"

END
  mv "$dir/linesign.toml.new" "$dir/linesign.toml"
}

# --- AWS, played by a double ---------------------------------------------------------------------

# The double remembers nothing when it ends, so each run is an account that has never seen a device:
# another target for the appliance.
start_double() {
  mkdir -p "$dir/aws"
  : >"$dir/aws/ports.json" # of an earlier run
  /usr/bin/python3 "$root/tests/support/aws" --dir "$dir/aws" >"$dir/aws/ports.json" \
    2>"$dir/aws/double.log" 9>&- &
  aws_double=$!
  local tries
  for tries in $(seq 100); do
    if grep -q '}$' "$dir/aws/ports.json"; then return 0; fi
    sleep 0.1
  done
  fail "the double of AWS does not start after $tries tries; see $dir/aws/double.log"
}

# A template takes the signed certificates as they are: docs/aws.md.
write_template() {
  cat >"$dir/bulk-template.json" <<'END'
{"Parameters": {"ThingName": {"Type": "String"}, "SerialNumber": {"Type": "String"},
                "Batch": {"Type": "String"}, "CertificatePem": {"Type": "String"}},
 "Resources": {
  "thing": {"Type": "AWS::IoT::Thing",
   "Properties": {"ThingName": {"Ref": "ThingName"},
    "AttributePayload": {"serial": {"Ref": "SerialNumber"}, "batch": {"Ref": "Batch"}}},
   "OverrideSettings": {"AttributePayload": "MERGE", "ThingTypeName": "REPLACE", "ThingGroups": "DO_NOTHING"}},
  "certificate": {"Type": "AWS::IoT::Certificate",
   "Properties": {"CertificatePem": {"Ref": "CertificatePem"}, "Status": "ACTIVE",
    "ThingPrincipalType": "EXCLUSIVE_THING"},
   "OverrideSettings": {"Status": "DO_NOTHING"}},
  "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument":
   "{\"Version\": \"2012-10-17\", \"Statement\": [{\"Effect\": \"Allow\", \"Action\": \"iot:Connect\", \"Resource\": \"*\"}]}"}}}}
END
}

write_targets() {
  local run endpoint
  run=$(($(cat "$dir/aws/runs" 2>/dev/null || echo 0) + 1))
  echo "$run" >"$dir/aws/runs"
  endpoint=$(sed -n 's/.*"endpoint": "\([^"]*\)".*/\1/p' "$dir/aws/ports.json")
  write_template
  # Its keys are no secret: they stand in tests/support/aws/accounts.py.
  PYTHONPATH="$root/tests" /usr/bin/python3 -B >"$dir/aws/credentials" <<'END'
from support.aws.accounts import DEFAULT_ACCOUNTS
key = DEFAULT_ACCOUNTS[0]["keys"][0]
print("[demo]", *(f"aws_{name} = {key[name]}" for name in ("access_key_id", "secret_access_key")), sep="\n")
END
  printf '[profile demo]\n' >"$dir/aws/config"
  sed -i '/^# AWS, played by a double/,$d' "$dir/linesign.toml"
  cat >>"$dir/linesign.toml" <<END
# AWS, played by a double that runs on this machine as long as the demo does; written anew each time.
[aws]
targets_of_default_order = ["double-$run"]

[[aws.target]]
name = "double-$run"
account = "111122223333"
region = "eu-west-1"
way = "bulk"
bucket = "manifests"
role_arn_bulk = "arn:aws:iam::111122223333:role/bulk"
template_file = "bulk-template.json"
profile = "demo"
endpoint_url = "$endpoint"
ca_bundle = "$(sed -n 's/.*"ca": "\([^"]*\)".*/\1/p' "$dir/aws/ports.json")"
END
}

# linesign with the double's credentials, whatever AWS settings this user has.
linesign_aws() {
  env -u AWS_PROFILE -u AWS_DEFAULT_PROFILE -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY \
    -u AWS_SESSION_TOKEN no_proxy=127.0.0.1 AWS_EC2_METADATA_DISABLED=true \
    AWS_SHARED_CREDENTIALS_FILE="$dir/aws/credentials" AWS_CONFIG_FILE="$dir/aws/config" \
    "$kBin/linesign" --config "$dir/linesign.toml" aws "$@"
}

register_lot() {
  linesign_aws register-ca
  linesign_aws preflight --order default
  echo "(the pace above is that of AWS's own quotas; the double has none, and works as fast as it can)"
  linesign_aws upload
  linesign_aws reconcile
}

start_daemon() {
  "$kBin/linesignd" --config "$dir/linesign.toml" >>"$dir/linesignd.log" 2>&1 &
  daemon=$!
  if ! "$kBin/linesign" --config "$dir/linesign.toml" status --wait >"$dir/status.txt" 2>&1; then
    tail -n 5 "$dir/linesignd.log" "$dir/status.txt" >&2
    fail "linesignd does not produce; its log is $dir/linesignd.log"
  fi
  cat "$dir/status.txt"
}

stop_daemon() {
  local code=0
  kill -TERM "$daemon" 2>/dev/null || true
  wait "$daemon" || code=$?
  daemon=
  if ((code != 0)); then fail "linesignd ended with exit code $code; see $dir/linesignd.log"; fi
}

clean_up() {
  local code=$?
  if [[ -n $daemon ]]; then
    kill -TERM "$daemon" 2>/dev/null || true
    wait "$daemon" 2>/dev/null || true
  fi
  if [[ -n $aws_double ]]; then
    kill -TERM "$aws_double" 2>/dev/null || true
    wait "$aws_double" 2>/dev/null || true
  fi
  exit "$code"
}

# The join token is a secret: a file that only this user reads, deleted when it is used up.
invite_station() {
  (
    umask 077
    "$kBin/linesign" --config "$dir/linesign.toml" station add line1 >"$dir/join-token" \
      2>"$dir/join-token.log"
  )
}

enroll_station() {
  if [[ -f $dir/station/station.pem && -f $dir/station/appliance.toml ]]; then
    echo "goes on with the station in $dir/station"
    return 0
  fi
  # An earlier run may have invited the station and lost the token: then it is invited anew.
  if ! invite_station; then
    "$kBin/linesign" --config "$dir/linesign.toml" station revoke line1 >/dev/null
    invite_station
  fi
  "$kBin/linesign-station" enroll --token-file "$dir/join-token" --dir "$dir/station"
  rm -f "$dir/join-token" "$dir/join-token.log"
}

count_certificates() { find "$dir/certs" -name '*.pem' -type f 2>/dev/null | wc -l; }

run_lot() {
  local before after started ended
  mkdir -p "$dir/certs"
  before=$(count_certificates)
  if ((before >= lot)); then
    echo "all $lot devices have their certificates already; ask for more with --lot"
    return 0
  fi
  started=$(date +%s%N)
  "$kBin/linesign-station" request --dir "$dir/station" --order default --generate "$lot" \
    --out "$dir/certs"
  ended=$(date +%s%N)
  after=$(count_certificates)
  awk -v n=$((after - before)) -v ns=$((ended - started)) \
    'BEGIN { printf "%d certificates in %.1f s: %.0f per second, keys made at the station included\n",
             n, ns / 1e9, n * 1e9 / ns }'
}

show_result() {
  local all verified first
  all=$(count_certificates)
  # Not `sort | head`: head would end sort by a signal, which pipefail reports.
  first=$(find "$dir/certs" -name '*.pem' -type f | sort | sed -n 1p)
  echo "one of them, $first:"
  openssl x509 -in "$first" -noout -serial -subject -issuer -dates \
    -ext keyUsage,extendedKeyUsage,basicConstraints | sed 's/^/    /'
  verified=$(find "$dir/certs" -name '*.pem' -type f -print0 |
    xargs -0 -n 500 openssl verify -CAfile "$dir/ca.pem" | grep -c ': OK$' || true)
  echo "certificates in $dir/certs that openssl verifies: $verified of $all"
  if ((verified != all || all < lot)); then fail "not every device has a good certificate"; fi
  "$kBin/linesign" --config "$dir/linesign.toml" status
}

say_what_next() {
  cat <<END

Everything is in $dir:
    linesign.toml       the configuration           linesignd.log  what the appliance said
    ca.pem              the CA's certificate        certs/         one PEM file per device
    ca-transcript.txt   how its key was made        certs-keys/    their keys and CSRs
    station/            the station's credential    ledger/        every certificate, written down
    bulk-template.json  how AWS makes its things       before it left the appliance
    aws/                what the double of AWS needs
Look at next:
END
  # They ask the appliance, which ends with the demo.
  if ((wait_for_enter)); then
    cat <<END
    $kBin/linesign --config $dir/linesign.toml status
    $kBin/linesign --config $dir/linesign.toml aws status
END
  fi
  cat <<END
    bash appliance/demo.sh --dir $dir --lot $((lot * 10))
    README.md, docs/architecture.md, docs/operations.md, docs/aws.md
END
}

main() {
  read_arguments "$@"
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  exec 9>"$dir/.demo.lock"
  flock -n 9 || fail "another demo is running in $dir"
  export SOFTHSM2_CONF=$dir/softhsm2.conf

  step "What is missing is installed, then linesign is built (some minutes at the first time)"
  install_packages "$root/appliance/packages.txt" build demo
  build
  echo "programs are in $kBin"

  step "A token with a CA key ($kModule)"
  make_ca

  step "The appliance"
  trap clean_up EXIT
  start_double
  write_config
  write_targets
  start_daemon 9>&-

  step "A station, enrolled with a one-time join token"
  enroll_station

  step "A lot of $lot devices"
  run_lot

  step "AWS IoT, played by a double on this machine (tests/support/aws): the lot is registered there"
  register_lot

  step "The result"
  show_result
  say_what_next

  if ((wait_for_enter)); then
    printf '\nThe appliance runs until you press Enter. '
    read -r _ || true
  fi
  stop_daemon
  echo "The appliance is stopped; nothing is lost. Delete $dir when you are done (chmod -R u+w first)."
}

main "$@"
