"""CSRs that must not yield a certificate, each with the error that a station hears. The session
goes on after every one of them."""

import os

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtensionOID

from support import csr, der
from support.raw_station import messages, ping

DEVICE = "unit-1"


def good(device=DEVICE):
    return csr.make(device, csr.new_key())


def indefinite_length():
    body = der.Reader(good()).content
    return b"\x30\x80" + body + b"\0\0"


def non_minimal_length():
    body = der.Reader(good()).content
    return b"\x30\x83" + len(body).to_bytes(3, "big") + body


def nested(levels):
    data = b""
    for _ in range(levels):
        data = der.sequence(data)
    return data


def nested_indefinite(levels):
    return b"\x30\x80" * levels


def nested_in_an_attribute():
    attribute = der.sequence(der.oid("1.2.840.113549.1.9.7"), der.tlv(0x31, nested(1000)))
    return csr.make(DEVICE, csr.new_key(), attribute)


def signed_by_another_key():
    return csr.make(DEVICE, csr.new_key(), spki=csr.spki_of(csr.new_key()))


def off_the_curve():
    key = csr.new_key()
    spki = bytearray(csr.spki_of(key))
    spki[-1] ^= 1
    return csr.make(DEVICE, key, spki=bytes(spki))


def point_at_zero():
    key = csr.new_key()
    spki = csr.spki_of(key)
    return csr.make(DEVICE, key, spki=spki[:-64] + bytes(64))


def compressed_point():
    key = csr.new_key()
    algorithm = der.Reader(csr.spki_of(key)).children()[0].whole
    numbers = key.public_key().public_numbers()
    point = bytes([2 + numbers.y % 2]) + numbers.x.to_bytes(32, "big")
    return csr.make(DEVICE, key, spki=der.sequence(algorithm, der.bit_string(point)))


def rsa_1024():
    return csr.make(DEVICE, rsa.generate_private_key(65537, 1024))


def exponent_1():
    """With e = 1 a signature is its own padded digest: anybody can make it."""
    modulus = rsa.generate_private_key(65537, 2048).public_key().public_numbers().n
    spki = csr.rsa_spki(modulus, 1)
    info = csr.info_of(der.common_name(DEVICE), spki)
    import hashlib
    digest_info = bytes.fromhex("3031300d060960864801650304020105000420") + \
        hashlib.sha256(info).digest()
    padded = b"\0\1" + b"\xff" * (256 - 3 - len(digest_info)) + b"\0" + digest_info
    return csr.assemble(info, csr.RSA_SHA256, padded)


def even_modulus():
    key = rsa.generate_private_key(65537, 2048)
    return csr.make(DEVICE, key, spki=csr.rsa_spki(key.public_key().public_numbers().n - 1, 65537))


def sha1_signature():
    key = csr.new_key()
    info = csr.info_of(der.common_name(DEVICE), csr.spki_of(key))
    from cryptography.hazmat.primitives import hashes
    signature = key.sign(info, ec.ECDSA(hashes.SHA1()))
    return csr.assemble(info, der.sequence(der.oid("1.2.840.10045.4.1")), signature)


def ecdsa_with_other_parameters():
    algorithm = der.sequence(der.oid("1.2.840.10045.4.3.2"), der.sequence())
    return csr.make(DEVICE, csr.new_key(), algorithm=algorithm)


def rsa_key_without_null():
    key = rsa.generate_private_key(65537, 2048)
    bits = der.Reader(csr.spki_of(key)).children()[1].whole
    spki = der.sequence(der.sequence(der.oid("1.2.840.113549.1.1.1")), bits)
    return csr.make(DEVICE, key, spki=spki)


def named(text, tag=der.UTF8):
    return csr.make(der.common_name(text, tag), csr.new_key())


BAD = [
    ("empty", lambda: b"", {"CsrEmpty"}),
    ("larger than allowed", lambda: good() + bytes(8192), {"CsrTooLarge"}),
    ("PEM where DER is due", lambda: csr.pem(good()), {"CsrNotDer"}),
    ("one byte after the end", lambda: good() + b"\0", {"CsrTrailingBytes"}),
    ("cut in the middle", lambda: good()[:100], {"CsrMalformed"}),
    ("random bytes", lambda: os.urandom(300), {"CsrMalformed"}),
    ("indefinite length", indefinite_length, {"CsrMalformed"}),
    ("non-minimal length", non_minimal_length, {"CsrMalformed"}),
    ("10,000 nested sequences", lambda: nested(10_000), {"CsrTooLarge"}),
    ("as many nested sequences as fit", lambda: nested(2040), {"CsrTooDeep", "CsrMalformed"}),
    ("nested indefinite sequences", lambda: nested_indefinite(4000), {"CsrMalformed"}),
    ("nested sequences in an attribute", nested_in_an_attribute, {"CsrTooDeep"}),
    ("version 2", lambda: csr.make(DEVICE, csr.new_key(), version=1), {"CsrVersion"}),
    ("signed by another key", signed_by_another_key, {"CsrProofWrong"}),
    ("signed with SHA-1", sha1_signature, {"CsrAlgorithm"}),
    ("signed with ECDSA and its parameters", ecdsa_with_other_parameters, {"CsrAlgorithm"}),
    ("RSA key without NULL parameters", rsa_key_without_null, {"CsrKeyUnsupported"}),
    ("point off the curve", off_the_curve, {"CsrKeyInvalid"}),
    ("point (0, 0)", point_at_zero, {"CsrKeyInvalid"}),
    ("compressed point", compressed_point, {"CsrKeyInvalid", "CsrKeyUnsupported"}),
    ("secp256k1", lambda: csr.make(DEVICE, ec.generate_private_key(ec.SECP256K1())),
     {"CsrKeyUnsupported"}),
    ("RSA-1024", rsa_1024, {"CsrKeyUnsupported"}),
    ("RSA with e = 1", exponent_1, {"CsrKeyInvalid"}),
    ("RSA with an even modulus", even_modulus, {"CsrKeyInvalid"}),
    ("NUL in the common name", lambda: named("unit\0-1"), {"CsrSubjectInvalid"}),
    ("CR LF in the common name", lambda: named("unit-1\r\n"), {"CsrSubjectInvalid"}),
    ("65 characters of common name", lambda: named("u" * 65), {"CsrSubjectInvalid"}),
    ("two common names", lambda: csr.make(
        der.name(der.attribute(der.COMMON_NAME, DEVICE), der.attribute(der.COMMON_NAME, DEVICE)),
        csr.new_key()), {"CsrSubjectInvalid"}),
    ("broken UTF-8 in the common name", lambda: named(b"\xc3\x28"), {"CsrSubjectInvalid"}),
    ("common name of another device", lambda: good("unit-2"), {"CsrSubjectMismatch"}),
]


@pytest.mark.parametrize("make, names", [pytest.param(make, names, id=what)
                                         for what, make, names in BAD])
def test_a_bad_csr_is_refused_with_its_reason(shared, make, names):
    with shared.open_station() as station:
        reply = station.issue(DEVICE, make())
        assert reply.status == messages.STATUS_REFUSED
        assert reply.certificate_der == b""
        assert reply.failure.name in names
        assert station.ask(ping(5)).pong.nonce == 5


@pytest.mark.parametrize("device", ["", "a" * 65, "a/b", "a b", ".a", "ä", "a\0"])
def test_a_bad_device_id_is_refused(shared, device):
    with shared.open_station() as station:
        reply = station.issue(device, good())
        assert reply.status == messages.STATUS_REFUSED
        assert reply.failure.name == "DeviceIdInvalid"


def test_bad_requests_leave_nothing_behind(shared):
    """After all refusals the device's id and keys are free."""
    before = shared.status()["ledger"]
    with shared.open_station() as station:
        assert station.issue("after", signed_by_another_key()).failure.name == "CsrSubjectMismatch"
        device = f"after-{os.urandom(4).hex()}"
        key = csr.new_key()
        wrong = csr.make(device, csr.new_key(), spki=csr.spki_of(key))
        assert station.issue(device, wrong).failure.name == "CsrProofWrong"
        assert station.issue(device, csr.make(device, key)).status == messages.STATUS_OK
    after = shared.status()["ledger"]
    assert after["intents"] == 0
    assert after["certificates"] == before["certificates"] + 1
    assert after["voids"] == before["voids"] == 0


def test_what_a_csr_asks_for_never_gets_into_the_certificate(shared):
    device = f"greedy-{os.urandom(4).hex()}"
    attributes = csr.extension_request(
        csr.extension("2.5.29.19", der.sequence(der.tlv(0x01, b"\xff")), critical=True),  # CA:TRUE
        csr.extension("2.5.29.17", der.sequence(der.tlv(0x82, b"bank.example"))),  # SAN
        csr.extension("2.5.29.15", der.tlv(0x03, b"\x01\x06"), critical=True))  # keyCertSign
    with shared.open_station() as station:
        reply = station.issue(device, csr.make(device, csr.new_key(), attributes))
    assert reply.status == messages.STATUS_OK
    certificate = x509.load_der_x509_certificate(reply.certificate_der)
    assert not certificate.extensions.get_extension_for_oid(
        ExtensionOID.BASIC_CONSTRAINTS).value.ca
    assert not certificate.extensions.get_extension_for_oid(
        ExtensionOID.KEY_USAGE).value.key_cert_sign
    with pytest.raises(x509.ExtensionNotFound):
        certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    assert b"bank.example" not in reply.certificate_der


def test_no_single_flipped_bit_of_a_csr_yields_a_certificate(shared):
    device = f"flip-{os.urandom(4).hex()}"
    whole = good(device)
    before = shared.status()["ledger"]["certificates"]
    bits = range(len(whole) * 8)
    of_one_station = 90  # below what it may fail: one whose CSRs only fail is not heard for long
    for first in bits[::of_one_station]:
        with shared.open_station(name=f"{device}-{first}") as station:
            for bit in bits[first:first + of_one_station]:
                flipped = bytearray(whole)
                flipped[bit // 8] ^= 0x80 >> bit % 8
                reply = station.issue(device, bytes(flipped))
                assert reply.status == messages.STATUS_REFUSED, f"bit {bit}: {reply}"
                assert not reply.certificate_der
    assert shared.status()["ledger"]["certificates"] == before
    with shared.open_station() as station:
        assert station.issue(device, whole).status == messages.STATUS_OK
