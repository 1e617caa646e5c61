#!/usr/bin/env bash
# Makes the CSRs of this folder anew, with the tools that README.md names. The private keys are
# thrown away: only public data is kept.
set -euo pipefail
cd "$(dirname "$0")"
keys=$(mktemp -d)
trap 'rm -rf "$keys"' EXIT

openssl ecparam -name prime256v1 -genkey -noout -out "$keys/p256.pem"
openssl ecparam -name secp384r1 -genkey -noout -out "$keys/p384.pem"
openssl genrsa -out "$keys/rsa2048.pem" 2048 2>/dev/null
openssl genrsa -out "$keys/rsa3072.pem" 3072 2>/dev/null
openssl genrsa -out "$keys/rsa4096.pem" 4096 2>/dev/null
for key in p256 rsa2048; do
  openssl pkcs8 -topk8 -nocrypt -in "$keys/$key.pem" -out "$keys/$key.p8"
done

# PEM to DER without a decoder that could change something on the way.
to_der() { tr -d '\r' | sed '/^-----/d' | base64 -d; }

# openssl_req NAME KEY CONFIG [ARGUMENT...]
openssl_req() {
  local name=$1 key=$2 config=$3
  shift 3
  printf '%s\n' "$config" > "$keys/openssl.cnf"
  openssl req -new -key "$keys/$key.pem" -config "$keys/openssl.cnf" -outform DER \
    -out "$name.der" "$@"
}
plain=$'[req]\nprompt=no\ndistinguished_name=dn\nstring_mask=utf8only\nutf8=yes\n[dn]\nCN=dev-1'
for key in p256 p384 rsa2048 rsa3072 rsa4096; do
  openssl_req "openssl-$key" "$key" "$plain"
done
openssl_req openssl-p256-sha512 p256 "$plain" -sha512
openssl_req openssl-rsa2048-sha384 rsa2048 "$plain" -sha384
openssl_req openssl-p384-sha256 p384 "$plain" -sha256
openssl_req openssl-p256-no-subject p256 "$plain" -subj /
openssl_req openssl-p256-attributes p256 '[req]
prompt=no
distinguished_name=dn
attributes=attributes
req_extensions=extensions
[dn]
C=DE
O=Example
CN=dev-1
[attributes]
challengePassword=not used
unstructuredName=line 7
[extensions]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectAltName=DNS:evil.example,URI:urn:example:evil,IP:192.0.2.1'
openssl_req openssl-rsa2048-multi-rdn rsa2048 '[req]
prompt=no
distinguished_name=dn
[dn]
DC=example
O=Example
+OU=Line 7
+serialNumber=0815
CN=dev-1
+UID=unit-4'
openssl_req openssl-p256-bmp p256 $'[req]\nprompt=no\ndistinguished_name=dn\nstring_mask=MASK:0x800\nutf8=yes\n[dn]\nO=Gerätebau Łódź\nCN=dev-1'
openssl_req openssl-p256-t61 p256 $'[req]\nprompt=no\ndistinguished_name=dn\nstring_mask=MASK:0x4\nutf8=yes\n[dn]\nO=Gerätebau\nCN=dev-1'
openssl_req openssl-p256-utf8 p256 $'[req]\nprompt=no\ndistinguished_name=dn\nstring_mask=utf8only\nutf8=yes\n[dn]\nC=DE\nST=Größe\nO=装置 🏭\nCN=dev-1'

# certtool_req NAME KEY TEMPLATE
certtool_req() {
  printf '%s\n' "$3" > "$keys/template"
  certtool --generate-request --load-privkey "$keys/$2.pem" --template "$keys/template" \
    --outder --outfile "$1.der" 2>/dev/null
}
for key in p256 rsa2048; do
  certtool_req "certtool-$key" "$key" 'cn = "dev-1"'
done
certtool_req certtool-p256-extensions p256 'dn = "CN=dev-1,OU=Line 7,O=Example,C=DE"
dns_name = "dev-1.example"
uri = "urn:example:dev-1"
challenge_password = "not used"
tls_www_client
signing_key'
certtool_req certtool-rsa2048-extensions rsa2048 'organization = "Example"
unit = "Line 7"
unit = "Cell 2"
state = "Hamburg"
country = DE
cn = "dev-1"
uid = "unit-4"
email = "dev-1@example.org"
ca
cert_signing_key'

for key in p256 rsa2048; do
  botan gen_pkcs10 "$keys/$key.p8" dev-1 | to_der > "botan-$key.der"
  botan gen_pkcs10 "$keys/$key.p8" dev-1 --country=DE --organization=Example \
    --email=dev-1@example.org --dns=dev-1.example --ca --hash=SHA-512 |
    to_der > "botan-$key-extensions.der"
done

pki --req --in "$keys/p256.pem" --type ecdsa --dn CN=dev-1 > strongswan-p256.der 2> /dev/null
pki --req --in "$keys/rsa2048.pem" --type rsa --dn CN=dev-1 > strongswan-rsa2048.der 2> /dev/null
pki --req --in "$keys/p256.pem" --type ecdsa --dn 'C=DE, O=Gerätebau, OU=Line 7, CN=dev-1' \
  --san dev-1.example --san dev-1@example.org --password secret --profile server \
  > strongswan-p256-extensions.der 2> /dev/null
pki --req --in "$keys/rsa2048.pem" --type rsa --digest sha512 \
  --dn 'serialNumber=0815, unstructuredName=press 4, CN=dev-1' --san 192.0.2.1 \
  > strongswan-rsa2048-extensions.der 2> /dev/null

for kind in 'EC secp256r1 p256' 'RSA 2048 rsa2048'; do
  read -r algorithm size name <<< "$kind"
  [[ $algorithm == EC ]] && option=-groupname || option=-keysize
  store=("-keystore" "$keys/$name.p12" "-storepass" "changeit" "-alias" "device")
  keytool -genkeypair "${store[@]}" -keyalg "$algorithm" "$option" "$size" \
    -dname 'CN=dev-1, OU="Line 7, left", O=Example, C=DE' > /dev/null 2>&1
  keytool -certreq "${store[@]}" -ext san=dns:dev-1.example 2> /dev/null |
    to_der > "keytool-$name.der"
done

# device_tool NAME LIBRARY...: a program of tests/support that is linked with a library of devices.
device_tool() {
  c++ -std=c++17 "../../support/$1_csr.cpp" -o "$keys/$1" "${@:2}"
}
device_tool mbedtls -lmbedx509 -lmbedcrypto
device_tool wolfssl -lwolfssl
"$keys/mbedtls" ec C=DE,O=Example,CN=dev-1 mbedtls-p256.der
"$keys/mbedtls" rsa C=DE,O=Example,CN=dev-1 mbedtls-rsa2048.der asks
"$keys/mbedtls" ec C=DE,serialNumber=SN_0001,CN=dev-1 mbedtls-p256-odd-name.der asks
"$keys/wolfssl" ec dev-1 wolfssl-p256.der
"$keys/wolfssl" rsa dev-1 wolfssl-rsa2048.der asks
PYTHONPATH=../.. python3 -m support.odd_csrs dev-1 .
chmod 644 ./*.der
