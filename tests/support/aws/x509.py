"""Certificates, read as fast as the tests need and as strictly as the service does.

A hundred thousand registrations must be quick, so the fields that every registration needs are cut
out of the DER by hand; the rare questions go to python3-cryptography."""

import base64
import binascii
import hashlib
import re
from functools import lru_cache

from cryptography import x509 as full
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa

from ..der import oid_content

_PEM = re.compile(r"\s*-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\r\n]+)"
                  r"-----END CERTIFICATE-----\s*")
_HASHES = {"2.16.840.1.101.3.4.2.1": hashes.SHA256, "2.16.840.1.101.3.4.2.2": hashes.SHA384,
           "2.16.840.1.101.3.4.2.3": hashes.SHA512}


class BadCertificate(Exception):
    pass


_SIGNATURES = {oid_content(dotted): (kind, algorithm) for dotted, kind, algorithm in (
    ("1.2.840.113549.1.1.11", "rsa", hashes.SHA256),
    ("1.2.840.113549.1.1.12", "rsa", hashes.SHA384),
    ("1.2.840.113549.1.1.13", "rsa", hashes.SHA512),
    ("1.2.840.113549.1.1.10", "pss", None),
    ("2.16.840.1.101.3.4.3.2", "dsa", hashes.SHA256),
    ("1.2.840.10045.4.3.2", "ec", hashes.SHA256),
    ("1.2.840.10045.4.3.3", "ec", hashes.SHA384),
    ("1.2.840.10045.4.3.4", "ec", hashes.SHA512))}
_RSA_KEYS = {oid_content("1.2.840.113549.1.1.1"), oid_content("1.2.840.113549.1.1.10")}
_EC_KEY = oid_content("1.2.840.10045.2.1")
_CURVES = {oid_content("1.2.840.10045.3.1.7"): 65, oid_content("1.3.132.0.34"): 97,
           oid_content("1.3.132.0.35"): 133}


def element(data, at, end):
    """(tag, start of the content, end of the content) of the element at `at`."""
    if at + 2 > end:
        raise BadCertificate("truncated DER")
    length = data[at + 1]
    start = at + 2
    if length >= 0x80:
        size = length & 0x7F
        if not 1 <= size <= 3 or start + size > end:
            raise BadCertificate("bad DER length")
        length = int.from_bytes(data[start:start + size], "big")
        start += size
    if start + length > end:
        raise BadCertificate("truncated DER")
    return data[at], start, start + length


def _moment(data, tag, start, end):
    """A time as YYYYMMDDHHMMSSZ: comparable as text."""
    text = data[start:end].decode("ascii", "replace")
    if tag == 0x17 and len(text) == 13:
        text = ("19" if text[:2] >= "50" else "20") + text
    if len(text) != 15 or text[14] != "Z" or not text[:14].isdigit():
        raise BadCertificate("bad time in the certificate")
    return text


class Certificate:
    """The fields of one certificate. `id` is the certificateId: SHA-256 of the DER."""

    __slots__ = ("der", "id", "serial", "issuer", "subject", "not_before", "not_after", "spki",
                 "signature_algorithm", "signature", "tbs")

    def __init__(self, der):
        try:
            self._read(der)
        except IndexError:
            raise BadCertificate("truncated DER") from None

    def _read(self, der):
        self.der = der
        self.id = hashlib.sha256(der).hexdigest()
        _, start, end = element(der, 0, len(der))
        if der[0] != 0x30 or end != len(der):
            raise BadCertificate("not one DER sequence")
        _, at, tbs_end = element(der, start, end)
        self.tbs = der[start:tbs_end]
        _, _, algorithm_end = element(der, tbs_end, end)
        self.signature_algorithm = der[tbs_end:algorithm_end]
        tag, bits, bits_end = element(der, algorithm_end, end)
        if tag != 0x03 or bits_end != end or der[bits] != 0:
            raise BadCertificate("bad signature field")
        self.signature = der[bits + 1:bits_end]

        if der[at] == 0xA0:
            at = element(der, at, tbs_end)[2]
        _, number, at = element(der, at, tbs_end)
        self.serial = int.from_bytes(der[number:at], "big")
        inner = at
        at = element(der, at, tbs_end)[2]
        if der[inner:at] != self.signature_algorithm:
            raise BadCertificate("the two signature algorithms differ")
        fields = []
        for _ in range(4):
            before = at
            at = element(der, at, tbs_end)[2]
            fields.append(der[before:at])
        self.issuer, validity, self.subject, self.spki = fields
        tag, start, end = element(validity, 0, len(validity))
        first = element(validity, start, end)
        second = element(validity, first[2], end)
        self.not_before = _moment(validity, *first)
        self.not_after = _moment(validity, *second)

    def whole(self, name):
        """An attribute of the same certificate read by the whole parser, which is lazy."""
        try:
            return getattr(full.load_der_x509_certificate(self.der), name)
        except (ValueError, full.InvalidVersion, full.DuplicateExtension) as error:
            raise BadCertificate(str(error)) from None


def from_pem(text):
    match = _PEM.fullmatch(text)
    if not match:
        raise BadCertificate("not exactly one PEM certificate")
    try:
        der = base64.b64decode(match.group(1).replace("\n", "").replace("\r", ""), validate=True)
    except binascii.Error:
        raise BadCertificate("bad base64 in the PEM") from None
    return Certificate(der)


@lru_cache(maxsize=256)
def signature_scheme(algorithm):
    """(kind, hash class, salt length) of an AlgorithmIdentifier; only what AWS IoT accepts."""
    _, start, end = element(algorithm, 0, len(algorithm))
    _, oid_start, oid_end = element(algorithm, start, end)
    found = _SIGNATURES.get(algorithm[oid_start:oid_end])
    if found is None:
        raise BadCertificate("The signature algorithm of the certificate is not supported")
    kind, algorithm_hash = found
    if kind != "pss":
        return kind, algorithm_hash, None
    for dotted, each in _HASHES.items():
        if oid_content(dotted) in algorithm:
            return kind, each, padding.PSS.AUTO
    raise BadCertificate("The signature algorithm of the certificate is not supported")


def _key_problem(spki):
    """What AWS IoT has against a public key, or None."""
    _, start, end = element(spki, 0, len(spki))
    _, at, key_at = element(spki, start, end)
    _, oid_start, oid_end = element(spki, at, key_at)
    oid = spki[oid_start:oid_end]
    _, bits, bits_end = element(spki, key_at, end)
    if oid in _RSA_KEYS:
        _, numbers, _ = element(spki, bits + 1, bits_end)
        _, modulus, modulus_end = element(spki, numbers, bits_end)
        size = int.from_bytes(spki[modulus:modulus_end], "big").bit_length()
        return "RSA below 2048 bits" if size < 2048 else None
    if oid == _EC_KEY:
        _, curve, curve_end = element(spki, oid_end, key_at)
        point = _CURVES.get(spki[curve:curve_end])
        return None if point == bits_end - bits - 1 else "curve or point"
    return "algorithm"


def check_key(certificate):
    problem = _key_problem(certificate.spki)
    if problem:
        raise BadCertificate(f"The key in the certificate is not valid: {problem}")


def check_valid_at(certificate, moment):
    """`moment` as YYYYMMDDHHMMSSZ."""
    if not certificate.not_before <= moment <= certificate.not_after:
        raise BadCertificate("The certificate is expired or not yet valid")


@lru_cache(maxsize=64)
def public_key(spki):
    try:
        return serialization.load_der_public_key(spki)
    except (ValueError, TypeError) as error:
        raise BadCertificate(str(error)) from None


def verify_bytes(key, kind, algorithm, salt, signature, data):
    """True if `signature` over `data` was made with `key`."""
    try:
        if kind == "ec" and isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(algorithm()))
        elif kind == "rsa" and isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, padding.PKCS1v15(), algorithm())
        elif kind == "pss" and isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, padding.PSS(padding.MGF1(algorithm()), salt), algorithm())
        elif kind == "dsa" and isinstance(key, dsa.DSAPublicKey):
            key.verify(signature, data, algorithm())
        else:
            return False
    except InvalidSignature:
        return False
    return True


def signed_by(certificate, issuer):
    """True if the key of `issuer` made the signature of `certificate`."""
    scheme = signature_scheme(certificate.signature_algorithm)
    return (certificate.issuer == issuer.subject and
            verify_bytes(public_key(issuer.spki), *scheme, certificate.signature, certificate.tbs))


def is_ca(certificate):
    """CA:TRUE, and keyCertSign where key usage is stated."""
    extensions = certificate.whole("extensions")
    try:
        if not extensions.get_extension_for_class(full.BasicConstraints).value.ca:
            return False
        return extensions.get_extension_for_class(full.KeyUsage).value.key_cert_sign
    except full.ExtensionNotFound as missing:
        return missing.oid == full.oid.ExtensionOID.KEY_USAGE


def subject_values(certificate, dotted):
    oid = full.ObjectIdentifier(dotted)
    return [each.value for each in certificate.whole("subject").get_attributes_for_oid(oid)]
