"""CAs and device certificates for tests of what talks to AWS IoT."""

import datetime
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from support import der

from . import x509 as fast

PEM = serialization.Encoding.PEM
DAY = datetime.timedelta(days=1)
_OIDS = {"CN": NameOID.COMMON_NAME, "O": NameOID.ORGANIZATION_NAME, "C": NameOID.COUNTRY_NAME,
         "serialNumber": NameOID.SERIAL_NUMBER}


def new_key(kind="P-256"):
    curves = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1,
              "secp256k1": ec.SECP256K1}
    if kind in curves:
        return ec.generate_private_key(curves[kind]())
    return rsa.generate_private_key(65537, int(kind.partition("-")[2]))


def name(**attributes):
    return x509.Name([x509.NameAttribute(_OIDS[key], value) for key, value in attributes.items()])


def pem_of(certificate):
    return certificate.public_bytes(PEM).decode()


def key_pem(key):
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption()).decode()


def id_of(pem):
    """The certificateId, computed without the double's own reader."""
    der = x509.load_pem_x509_certificate(pem.encode()).public_bytes(serialization.Encoding.DER)
    return hashlib.sha256(der).hexdigest()


def signed(builder, key, algorithm):
    """Newer releases of cryptography sign no certificate with SHA-1: that is done by hand (RSA)."""
    if algorithm is not hashes.SHA1:
        return builder.sign(key, algorithm())
    made = builder.sign(key, hashes.SHA256())
    old, new = der.oid("1.2.840.113549.1.1.11"), der.oid("1.2.840.113549.1.1.5")
    tbs = made.tbs_certificate_bytes.replace(old, new, 1)
    signature = key.sign(tbs, padding.PKCS1v15(), hashes.SHA1())
    return x509.load_der_x509_certificate(
        der.sequence(tbs, der.sequence(new, der.NULL), der.bit_string(signature)))


class TestCa:
    __test__ = False  # not for pytest

    def __init__(self, common_name="Device CA", key=None, is_ca=True, issuer=None,
                 algorithm=hashes.SHA256):
        self.key = key or new_key()
        self.subject = name(CN=common_name)
        self.issuer = issuer
        self.certificate = self._build(self.subject, self.key.public_key(), is_ca, signer=issuer,
                                       algorithm=algorithm)
        self.pem = pem_of(self.certificate)
        self.id = fast.from_pem(self.pem).id

    def _build(self, subject, public_key, is_ca, signer=None, start=-DAY, end=365 * DAY,
               algorithm=hashes.SHA256, usage=True):
        now = datetime.datetime.utcnow()
        signer = signer or self
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(signer.subject)
                   .public_key(public_key).serial_number(x509.random_serial_number())
                   .not_valid_before(now + start).not_valid_after(now + end)
                   .add_extension(x509.BasicConstraints(is_ca, None), critical=True))
        if usage:
            builder = builder.add_extension(
                x509.KeyUsage(not is_ca, False, False, False, False, is_ca, is_ca, False, False),
                critical=True)
        return signed(builder, signer.key, algorithm)

    def device(self, common_name="device", key=None, **options):
        """The PEM of a certificate; `subject` in options replaces the common name."""
        subject = options.pop("subject", None) or name(CN=common_name)
        key = key or new_key()
        return pem_of(self._build(subject, key.public_key(), options.pop("is_ca", False),
                                  **options))

    def verification(self, registration_code, **options):
        """The proof that the holder of the key wants to register the CA."""
        return self.device(registration_code, end=DAY / 24, **options)
