"""CSRs as devices and old tools write them: OpenSSL and Java verify each of them.

python3 -m support.odd_csrs DEVICE FOLDER writes them there."""

import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from support import csr, der

ECDSA_SHA256_NULL = der.sequence(der.oid("1.2.840.10045.4.3.2"), der.NULL)
RSA_SHA256_ABSENT = der.sequence(der.oid("1.2.840.113549.1.1.11"))
# `critical` as BOOLEAN 1, where DER wants 255.
CRITICAL_1 = csr.extension_request(der.sequence(
    der.oid("2.5.29.19"), der.tlv(0x01, b"\x01"), der.tlv(0x04, der.sequence())))


def odd_csrs(device):
    """{name: DER}. Those called odd-name have a subject that must not stand in a certificate."""
    name = der.attribute(der.COMMON_NAME, device)
    unit = der.attribute(der.UNIT, "")
    printable = der.attribute(der.ORGANIZATION, "A & B_*@", der.PRINTABLE)
    unordered = der.tlv(0x31, name + der.attribute(der.COUNTRY, "DE", der.PRINTABLE))
    return {
        "made-p256-null": csr.make(device, csr.new_key(), algorithm=ECDSA_SHA256_NULL),
        "made-rsa2048-absent": csr.make(device, rsa.generate_private_key(65537, 2048),
                                        algorithm=RSA_SHA256_ABSENT),
        "made-p256-boolean": csr.make(device, csr.new_key(), CRITICAL_1),
        "made-p256-odd-name-empty": csr.make(der.name(unit, name), csr.new_key()),
        "made-p256-odd-name-printable": csr.make(der.name(printable, name), csr.new_key()),
        "made-p256-odd-name-unordered": csr.make(der.sequence(unordered), csr.new_key()),
    }


if __name__ == "__main__":
    for stem, data in odd_csrs(sys.argv[1]).items():
        (Path(sys.argv[2]) / f"{stem}.der").write_bytes(data)
