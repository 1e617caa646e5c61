"""CSRs for tests: good ones, fast, and bad ones of every kind."""

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

from support import der

ECDSA_SHA256 = der.sequence(der.oid("1.2.840.10045.4.3.2"))
RSA_SHA256 = der.sequence(der.oid("1.2.840.113549.1.1.11"), der.NULL)
EXTENSION_REQUEST = "1.2.840.113549.1.9.14"


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def spki_of(key):
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def signature_of(key, info):
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return ECDSA_SHA256, key.sign(info, ec.ECDSA(hashes.SHA256()))
    return RSA_SHA256, key.sign(info, padding.PKCS1v15(), hashes.SHA256())


def info_of(subject, spki, attributes=b"", version=0):
    return der.sequence(der.integer(version), subject, spki, der.tlv(0xA0, attributes))


def assemble(info, algorithm, signature):
    return der.sequence(info, algorithm, der.bit_string(signature))


def make(subject, key, attributes=b"", spki=None, version=0, algorithm=None):
    """A CSR signed by `key`; `subject` is a common name or the DER of a Name. `algorithm` stands in
    place of the AlgorithmIdentifier that is due."""
    if isinstance(subject, str):
        subject = der.common_name(subject)
    info = info_of(subject, spki or spki_of(key), attributes, version)
    usual, signature = signature_of(key, info)
    return assemble(info, algorithm or usual, signature)


def extension(oid, value, critical=False):
    flag = der.tlv(0x01, b"\xff") if critical else b""
    return der.sequence(der.oid(oid), flag, der.tlv(0x04, value))


def extension_request(*extensions):
    return der.sequence(der.oid(EXTENSION_REQUEST), der.set_of(der.sequence(*extensions)))


def rsa_spki(modulus, exponent):
    key = der.sequence(der.integer(modulus), der.integer(exponent))
    algorithm = der.sequence(der.oid("1.2.840.113549.1.1.1"), der.NULL)
    return der.sequence(algorithm, der.bit_string(key))


def pem(der_bytes):
    import base64
    body = base64.encodebytes(der_bytes).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n".encode()
