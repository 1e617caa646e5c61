"""A throwaway CA and server certificates in a folder, for AWS_CA_BUNDLE."""

import datetime
import ipaddress
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(subject, issuer, key):
    now = datetime.datetime.utcnow()
    # The clock of a test may be wrong by days.
    return (x509.CertificateBuilder().subject_name(_name(subject)).issuer_name(_name(issuer))
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=400))
            .not_valid_after(now + datetime.timedelta(days=400)))


def _make_ca(name):
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    made = (_builder(name, name, key)
            .add_extension(x509.BasicConstraints(True, None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .sign(key, hashes.SHA256()))
    return key, made


def _make_server(ca_key, ca, names):
    key = ec.generate_private_key(ec.SECP256R1())
    alternatives = [x509.DNSName(name) for name in names] + [
        x509.IPAddress(ipaddress.ip_address(each)) for each in ("127.0.0.1", "::1")]
    issuer = ca.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    made = (_builder("AWS double", issuer, key)
            .add_extension(x509.BasicConstraints(False, None), critical=True)
            .add_extension(x509.SubjectAlternativeName(alternatives), False)
            .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
                           False)
            .sign(ca_key, hashes.SHA256()))
    return key, made


def _write(path, key, certificate):
    encoding = serialization.Encoding.PEM
    content = certificate.public_bytes(encoding)
    if key is not None:
        content += key.private_bytes(encoding, serialization.PrivateFormat.PKCS8,
                                     serialization.NoEncryption())
    path.write_bytes(content)
    path.chmod(0o600)


def _context(path):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.load_cert_chain(path)
    return made


def make_context(folder, regions, world):
    """The server's side of TLS. The CA is in FOLDER/ca.pem; a folder that has one keeps it.

    While the setting untrusted_tls is on, connections get a certificate of a CA that nobody has."""
    names = ["localhost", "*.amazonaws.com"]
    for region in regions:
        names += [f"*.{region}.amazonaws.com", f"*.s3.{region}.amazonaws.com"]
    if not (folder / "server.pem").exists():
        for file, name in (("server.pem", "AWS double CA"), ("untrusted.pem", "Nobody's CA")):
            ca_key, ca = _make_ca(name)
            _write(folder / file, *_make_server(ca_key, ca, names))
            if file == "server.pem":
                _write(folder / "ca.pem", None, ca)
    context, untrusted = _context(folder / "server.pem"), _context(folder / "untrusted.pem")

    def choose(connection, _name_sent, _context_used):
        if world.settings.untrusted_tls:
            connection.context = untrusted

    context.sni_callback = choose
    return context
