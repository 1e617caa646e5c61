"""CSRs as six independent tools make them: all get certificates that OpenSSL and GnuTLS accept."""

import base64
import os
import re
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from support import csr, der
from support.odd_csrs import ECDSA_SHA256_NULL, odd_csrs
from support.raw_station import messages

KEYS = ("P-256", "RSA-2048")
SUPPORT = Path(__file__).parents[1] / "support"


def tool(*command, folder):
    run = subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=False)
    assert run.returncode == 0, f"{' '.join(command)}\n{run.stdout}{run.stderr}"
    return run.stdout


def pem_to_der(text):
    body = re.search(rb"-----BEGIN [^-]*REQUEST-----(.*?)-----END", text, re.S).group(1)
    return base64.b64decode(body)


def openssl(folder, device, key, asks):
    kind = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if key == "P-256" else ["rsa:2048"]
    more = ["-addext", f"subjectAltName=DNS:{device}.example", "-addext",
            "keyUsage=critical,digitalSignature,keyCertSign"] if asks else []
    tool("openssl", "req", "-new", "-newkey", *kind, "-nodes", "-keyout", f"{device}.key", "-subj",
         f"/C=DE/O=Example AG/CN={device}", "-outform", "DER", "-out", f"{device}.csr", *more,
         folder=folder)


def certtool(folder, device, key, asks):
    kind = ["--key-type", "ecdsa", "--curve", "secp256r1"] if key == "P-256" else [
        "--key-type", "rsa", "--bits", "2048"]
    tool("certtool", "--generate-privkey", *kind, "--outfile", f"{device}.key", folder=folder)
    template = f'cn = "{device}"\norganization = "Example AG"\n'
    if asks:
        template += f'dns_name = "{device}.example"\nca\ncert_signing_key\n'
    (folder / f"{device}.template").write_text(template)
    tool("certtool", "--generate-request", "--load-privkey", f"{device}.key", "--template",
         f"{device}.template", "--outder", "--outfile", f"{device}.csr", folder=folder)


def botan(folder, device, key, asks):
    kind = ["--algo=ECDSA", "--params=secp256r1"] if key == "P-256" else ["--algo=RSA",
                                                                        "--params=2048"]
    (folder / f"{device}.key").write_bytes(tool("botan", "keygen", *kind, folder=folder))
    more = [f"--dns={device}.example"] if asks else []
    (folder / f"{device}.csr").write_bytes(tool(
        "botan", "gen_pkcs10", "--country=DE", "--organization=Example AG", *more,
        f"{device}.key", device, folder=folder))


def strongswan(folder, device, key, asks):
    kind = ["ecdsa", "256"] if key == "P-256" else ["rsa", "2048"]
    (folder / f"{device}.key").write_bytes(
        tool("pki", "--gen", "--type", kind[0], "--size", kind[1], folder=folder))
    more = ["--san", f"{device}.example"] if asks else []
    (folder / f"{device}.csr").write_bytes(tool(
        "pki", "--req", "--in", f"{device}.key", "--type", kind[0], "--dn",
        f"C=DE, O=Example AG, CN={device}", *more, folder=folder))


def library(folder, device, key, asks, *, name, subject, libraries):
    """A library of devices, by a program that is compiled where it is used first."""
    if not (folder / name).exists():
        tool("c++", "-std=c++17", str(SUPPORT / f"{name}_csr.cpp"), "-o", name, *libraries,
             folder=folder)
    tool(f"./{name}", "ec" if key == "P-256" else "rsa", subject, f"{device}.csr",
         *(["asks"] if asks else []), folder=folder)


def mbedtls(folder, device, key, asks):
    library(folder, device, key, asks, name="mbedtls", subject=f"C=DE,O=Example AG,CN={device}",
            libraries=["-lmbedx509", "-lmbedcrypto"])


def wolfssl(folder, device, key, asks):
    library(folder, device, key, asks, name="wolfssl", subject=device, libraries=["-lwolfssl"])


TOOLS = (openssl, certtool, botan, strongswan, mbedtls, wolfssl)


def read_csr(path):
    data = path.read_bytes()
    return pem_to_der(data) if b"-----BEGIN" in data else data


def verify(appliance, path):
    """Two independent judges."""
    tool("openssl", "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", "ca.pem",
         str(path), folder=appliance.folder)
    out = tool("certtool", "--verify", "--load-ca-certificate", "ca.pem", "--infile", str(path),
               folder=appliance.folder)
    assert b"Verified. The certificate is trusted." in out


def write_pem(path, certificate_der):
    path.write_bytes(b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(certificate_der)
                     + b"-----END CERTIFICATE-----\n")


def certificate_of(path):
    return x509.load_pem_x509_certificate(path.read_bytes())


@pytest.mark.parametrize("ca_key", KEYS, ids=lambda key: f"CA {key}")
@pytest.mark.parametrize("subject", ["device-id", "csr"])
def test_csrs_of_six_tools_are_certified(make_appliance, subject, ca_key):
    appliance = make_appliance(key_type=ca_key, config={"profile": {"subject": subject}}).start()
    csrs = appliance.folder / "csrs"
    csrs.mkdir()
    for make in TOOLS:
        for key in KEYS:
            for asks in (False, True):
                device = f"{make.__name__}-{key}-{'asks' if asks else 'plain'}"
                make(csrs, device, key, asks)
    requests = sorted(csrs.glob("*.csr"))
    assert len(requests) == len(TOOLS) * len(KEYS) * 2
    appliance.request("--csr-dir", str(csrs))
    for request in requests:
        path = appliance.certs / f"{request.stem}.pem"
        verify(appliance, path)
        certificate = certificate_of(path)
        wanted_subject, wanted_key = der.csr_parts(read_csr(request))
        leaf = path.read_bytes().split(b"-----END CERTIFICATE-----")[0]
        got_subject, got_key = der.certificate_parts(
            base64.b64decode(leaf.split(b"-----BEGIN CERTIFICATE-----")[1]))
        assert got_key == wanted_key
        if subject == "csr":
            assert got_subject == wanted_subject
        else:
            assert got_subject == der.common_name(request.stem)
        extensions = certificate.extensions
        assert not extensions.get_extension_for_oid(ExtensionOID.BASIC_CONSTRAINTS).value.ca
        usage = extensions.get_extension_for_oid(ExtensionOID.KEY_USAGE).value
        assert usage.digital_signature and not usage.key_cert_sign
        assert list(extensions.get_extension_for_oid(ExtensionOID.EXTENDED_KEY_USAGE).value) == [
            ExtendedKeyUsageOID.CLIENT_AUTH]
        assert 16 == (certificate.serial_number.bit_length() + 7) // 8


ODD_SUBJECTS = {
    "empty subject": der.name(),
    "no common name": der.name(der.attribute(der.ORGANIZATION, "Example AG")),
    "common name first": der.name(der.attribute(der.COMMON_NAME, "{device}"),
                                  der.attribute(der.ORGANIZATION, "Example AG")),
    "two attributes in one part": der.sequence(der.set_of(
        der.attribute(der.ORGANIZATION, "Example AG"), der.attribute(der.UNIT, "Line 7")),
        der.set_of(der.attribute(der.COMMON_NAME, "{device}"))),
    "many units": der.name(*(der.attribute(der.UNIT, f"Unit {number}") for number in range(12)),
                           der.attribute(der.COMMON_NAME, "{device}")),
    "letters of the world": der.name(der.attribute(der.ORGANIZATION, "Zażółć 株式会社 Ørsted"),
                                     der.attribute(der.COMMON_NAME, "{device}")),
    "printable string": der.name(der.attribute(der.COUNTRY, "DE", der.PRINTABLE),
                                 der.attribute(der.SERIAL_NUMBER, "0000 42", der.PRINTABLE),
                                 der.attribute(der.COMMON_NAME, "{device}", der.PRINTABLE)),
    "mail address": der.name(der.attribute("1.2.840.113549.1.9.1", "line@example.com", der.IA5),
                             der.attribute(der.COMMON_NAME, "{device}")),
}


def with_device(subject, device):
    """The placeholder is as long as the device id, so that no length changes."""
    assert len(device) == len("{device}")
    return subject.replace(b"{device}", device.encode())


@pytest.mark.parametrize("subject_source", ["device-id", "csr"])
def test_odd_but_legal_subjects_are_certified(make_appliance, subject_source):
    appliance = make_appliance(config={"profile": {"subject": subject_source}}).start()
    folder = appliance.folder / "odd"
    folder.mkdir()
    with appliance.open_station() as station:
        for number, (what, subject) in enumerate(ODD_SUBJECTS.items()):
            device = f"odd-{number:04d}"
            request = csr.make(with_device(subject, device), csr.new_key())
            reply = station.issue(device, request)
            if what == "empty subject" and subject_source == "csr":  # nobody could be named by it
                assert reply.failure.name == "CsrSubjectInvalid"
                continue
            assert reply.status == messages.STATUS_OK, f"{what}: {reply.failure}"
            got_subject, got_key = der.certificate_parts(reply.certificate_der)
            wanted_subject, wanted_key = der.csr_parts(request)
            assert got_key == wanted_key, what
            assert got_subject == (wanted_subject if subject_source == "csr"
                                   else der.common_name(device)), what
            write_pem(folder / f"{device}.pem", reply.certificate_der)
            verify(appliance, folder / f"{device}.pem")


def test_what_only_odd_encoders_write_gets_a_canonical_certificate(shared, tmp_path):
    with shared.open_station() as station:
        for number, what in enumerate(odd_csrs("none")):
            device = f"quirk-{number}-{os.urandom(4).hex()}"
            request = odd_csrs(device)[what]
            reply = station.issue(device, request)
            assert reply.status == messages.STATUS_OK, f"{what}: {reply.failure}"
            subject, key = der.certificate_parts(reply.certificate_der)
            assert subject == der.common_name(device), what
            assert key == der.csr_parts(request)[1], what
            tbs, algorithm, _ = der.Reader(reply.certificate_der).children()
            assert algorithm.whole == tbs.children()[2].whole == csr.ECDSA_SHA256, what
            write_pem(tmp_path / f"{device}.pem", reply.certificate_der)
            verify(shared, tmp_path / f"{device}.pem")


def test_the_same_signature_with_and_without_null_is_one_identity(shared):
    """The one form that a signature has too many changes bytes, and so the request, but no device."""
    device, key, request_id = f"null-{os.urandom(4).hex()}", csr.new_key(), os.urandom(16)
    info = csr.info_of(der.common_name(device), csr.spki_of(key))
    algorithm, signature = csr.signature_of(key, info)
    plain = csr.assemble(info, algorithm, signature)
    null = csr.assemble(info, ECDSA_SHA256_NULL, signature)
    with shared.open_station() as station:
        issued = station.issue(device, null, request_id=request_id)
        assert issued.status == messages.STATUS_OK
        assert station.issue(device, plain, request_id=request_id).failure.name == "RequestConflict"
        assert station.issue(device, plain).failure.name == "DeviceExists"
        again = station.issue(device, null, request_id=request_id)
        assert again.certificate_der == issued.certificate_der


def test_an_odd_subject_that_would_be_kept_is_refused_by_attribute_and_byte(make_appliance):
    appliance = make_appliance(config={"profile": {"subject": "csr"}}).start()
    faults = {"made-p256-odd-name-empty": "OU: byte ", "made-p256-odd-name-printable": "O: byte ",
              "made-p256-odd-name-unordered": "C: byte "}
    with appliance.open_station() as station:
        for what, request in odd_csrs("odd-1").items():
            reply = station.issue("odd-1", request)
            if what not in faults:
                assert reply.status == messages.STATUS_OK or reply.failure.name == "DeviceExists"
                continue
            assert reply.status == messages.STATUS_REFUSED, what
            assert faults[what] in reply.failure.message, reply.failure


def test_devices_that_all_write_one_common_name_are_told_apart_by_the_station(make_appliance):
    name = "AWS IoT Certificate"
    appliance = make_appliance(config={"profile": {"csr_common_name": "ignore"}}).start()
    with appliance.open_station() as station:
        for device in ("first", "second"):
            reply = station.issue(device, csr.make(name, csr.new_key()))
            assert reply.status == messages.STATUS_OK, reply.failure
            assert der.certificate_parts(reply.certificate_der)[0] == der.common_name(device)


def test_another_common_name_is_refused_with_what_can_be_done(shared):
    with shared.open_station() as station:
        reply = station.issue("unit-1", csr.make("AWS IoT Certificate", csr.new_key()))
    assert reply.failure.name == "CsrSubjectMismatch"
    for part in ("'AWS IoT Certificate'", "as the device id", 'csr_common_name = "ignore"'):
        assert part in reply.failure.message


@pytest.mark.parametrize("key_type", ["P-384", "RSA-3072", "RSA-4096"])
def test_other_device_keys_are_certified(shared, key_type, tmp_path):
    device = f"device-{key_type}"
    kind = ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"] if key_type == "P-384" else [
        "rsa:" + key_type.removeprefix("RSA-")]
    tool("openssl", "req", "-new", "-newkey", *kind, "-nodes", "-keyout", "key", "-subj",
         f"/CN={device}", "-out", "request.csr", folder=tmp_path)
    shared.request("--csr", str(tmp_path / "request.csr"), out=tmp_path / "out")
    verify(shared, tmp_path / "out" / f"{device}.pem")


@pytest.mark.parametrize("ca_key", ["P-384", "RSA-3072", "RSA-4096"])
def test_other_ca_keys_sign(make_appliance, ca_key):
    appliance = make_appliance(key_type=ca_key).start()
    appliance.request("--generate", "20")
    assert len(appliance.certificates()) == 20
    for path in appliance.certificates():
        verify(appliance, path)


def test_every_field_of_a_profile_stands_in_the_certificate(make_appliance):
    appliance = make_appliance(config={"profile": {
        "subject_fields": ["C=DE", "O=Example AG"], "validity": "no-expiry", "backdate": "1h",
        "key_usage": ["digitalSignature", "keyAgreement"], "key_usage_critical": False,
        "extended_key_usage": ["clientAuth", "1.3.6.1.4.1.55555.1"],
        "subject_alt_names": ["dns:{device_id}.example"],
        "policies": ["1.3.6.1.4.1.55555.2"]}}).start()
    device = "profiled-1"
    with appliance.open_station() as station:
        reply = station.issue(device, csr.make(device, csr.new_key()))
    certificate = x509.load_der_x509_certificate(reply.certificate_der)
    assert certificate.subject.rfc4514_string() == f"CN={device},O=Example AG,C=DE"
    extensions = certificate.extensions
    usage = extensions.get_extension_for_oid(ExtensionOID.KEY_USAGE)
    assert not usage.critical and usage.value.key_agreement and usage.value.digital_signature
    assert [each.dotted_string for each in extensions.get_extension_for_oid(
        ExtensionOID.EXTENDED_KEY_USAGE).value] == ["1.3.6.1.5.5.7.3.2", "1.3.6.1.4.1.55555.1"]
    names = extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    assert names.get_values_for_type(x509.DNSName) == [f"{device}.example"]
    policies = extensions.get_extension_for_oid(ExtensionOID.CERTIFICATE_POLICIES).value
    assert [each.policy_identifier.dotted_string for each in policies] == ["1.3.6.1.4.1.55555.2"]
    ca = x509.load_pem_x509_certificate(Path(appliance.folder / "ca.pem").read_bytes())
    authority = extensions.get_extension_for_oid(ExtensionOID.AUTHORITY_KEY_IDENTIFIER).value
    subject_key = ca.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_KEY_IDENTIFIER).value
    assert authority.key_identifier == subject_key.digest
    assert extensions.get_extension_for_oid(ExtensionOID.SUBJECT_KEY_IDENTIFIER)
    # Never longer than the CA's own life (RFC 5280 has no certificate that outlives its issuer).
    assert certificate.not_valid_after == ca.not_valid_after
