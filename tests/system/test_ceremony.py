"""The key ceremony on a fresh token, and what it refuses."""

import json
import subprocess

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from support.appliance import (MODULE, PIN, TOKEN_LABEL, make_token, program, softhsm_env,
                               write_ceremony)


@pytest.fixture
def token(tmp_path):
    make_token(tmp_path)
    return tmp_path


def ca(folder, *arguments, check=True):
    run = subprocess.run([program("linesign"), "ca", *arguments], cwd=folder,
                         env=softhsm_env(folder), capture_output=True, text=True, timeout=120,
                         check=False)
    if check:
        assert run.returncode == 0, run.stdout + run.stderr
    return run


def test_a_root_ca_is_made_with_its_transcript(token):
    write_ceremony(token)
    ca(token, "init", "ceremony.toml")
    certificate = x509.load_pem_x509_certificate((token / "ca.pem").read_bytes())
    basic = certificate.extensions.get_extension_for_oid(ExtensionOID.BASIC_CONSTRAINTS)
    usage = certificate.extensions.get_extension_for_oid(ExtensionOID.KEY_USAGE)
    assert basic.critical and basic.value.ca and basic.value.path_length == 0
    assert usage.critical and usage.value.key_cert_sign and not usage.value.digital_signature
    assert certificate.subject.rfc4514_string() == "CN=Test Device CA,O=linesign test"
    subprocess.run(["openssl", "verify", "-x509_strict", "-CAfile", "ca.pem", "ca.pem"], cwd=token,
                   check=True, stdout=subprocess.DEVNULL)
    transcript = (token / "ca-transcript.txt").read_text()
    for expected in ("a system test", "CKA_SENSITIVE", "CKA_EXTRACTABLE", "device-ca", TOKEN_LABEL):
        assert expected in transcript
    assert PIN not in transcript
    shown = ca(token, "show", "ceremony.toml")
    assert "Test Device CA" in shown.stdout


def test_the_key_cannot_leave_the_token(token):
    write_ceremony(token)
    ca(token, "init", "ceremony.toml")
    report = json.loads(ca(token, "show", "ceremony.toml", "--json").stdout)
    assert report["key_type"] == "P-256"


def test_a_second_ceremony_makes_no_second_key(token):
    write_ceremony(token)
    ca(token, "init", "ceremony.toml")
    before = (token / "ca.pem").read_bytes()
    assert ca(token, "init", "ceremony.toml", check=False).returncode != 0
    (token / "ca.pem").unlink()
    (token / "ca-transcript.txt").unlink()
    assert ca(token, "init", "ceremony.toml", check=False).returncode != 0
    (token / "ca.pem").write_bytes(before)
    ca(token, "show", "ceremony.toml")


def test_a_wrong_pin_makes_nothing(token):
    write_ceremony(token)
    (token / "pin").chmod(0o600)
    (token / "pin").write_text("not-the-pin\n")
    run = ca(token, "init", "ceremony.toml", check=False)
    assert run.returncode == 77 and "HsmPinRefused" in run.stdout + run.stderr
    assert not (token / "ca.pem").exists()


def test_an_unknown_key_in_the_ceremony_file_is_refused_with_its_line(token):
    write_ceremony(token, key={"lable": "x"})
    run = ca(token, "init", "ceremony.toml", check=False)
    assert run.returncode == 78 and "ceremony.toml:" in run.stdout + run.stderr


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def offline_root(folder, name="root"):
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384",
            "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "3650", "-subj",
            f"/O=linesign test/CN=Offline {name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign")


def sign_intermediate(folder, extensions, root="root", out="signed.pem"):
    (folder / "extensions.cnf").write_text(extensions)
    openssl(folder, "x509", "-req", "-in", "ca.csr", "-CA", f"{root}.pem", "-CAkey",
            f"{root}.key", "-CAcreateserial", "-days", "1000", "-extfile", "extensions.cnf",
            "-out", out)


GOOD = ("basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n"
        "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")


@pytest.fixture
def intermediate(token):
    write_ceremony(token, kind="intermediate", output={"csr": "ca.csr"})
    ca(token, "init", "ceremony.toml")
    openssl(token, "req", "-in", "ca.csr", "-verify", "-noout")
    offline_root(token)
    return token


def do_import(folder, certificate="signed.pem", root="root.pem", check=False):
    return ca(folder, "import", certificate, "--ceremony", "ceremony.toml", "--root", root,
              check=check)


def test_an_intermediate_ca_is_imported_and_signs(intermediate, make_appliance):
    sign_intermediate(intermediate, GOOD)
    do_import(intermediate, check=True)
    appliance = make_appliance()
    for name in ("tokens", "ca.pem"):
        subprocess.run(["rm", "-rf", str(appliance.folder / name)], check=True)
        subprocess.run(["cp", "-r", str(intermediate / name), str(appliance.folder / name)],
                       check=True)
    appliance.start()
    appliance.request("--generate", "3")
    for path in appliance.certificates():
        assert path.read_text().count("BEGIN CERTIFICATE") >= 2
        openssl(intermediate, "verify", "-x509_strict", "-CAfile", "root.pem", "-untrusted",
                str(path), str(path))


def chain_of_three(folder):
    """root.pem, middle.pem, and signed.pem by middle's key."""
    openssl(folder, "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes",
            "-keyout", "middle.key", "-out", "middle.csr", "-subj", "/O=linesign test/CN=Middle")
    (folder / "middle.cnf").write_text(GOOD.replace(",pathlen:0", ""))
    openssl(folder, "x509", "-req", "-in", "middle.csr", "-CA", "root.pem", "-CAkey", "root.key",
            "-CAcreateserial", "-days", "1000", "-extfile", "middle.cnf", "-out", "middle.pem")
    sign_intermediate(folder, GOOD, root="middle")


def write_form(folder, form):
    """The same three certificates, as another CA may send them: (certificate file, root file)."""
    pems = [(folder / f"{name}.pem").read_text() for name in ("root", "signed", "middle")]
    (folder / "any-order.pem").write_text("".join(pems))
    if form == "any order":
        return "any-order.pem", "root.pem"
    if form == "indented, byte order mark, CRLF":
        text = "".join(f"  {line}\r\n" for line in "".join(pems).splitlines())
        (folder / "given.pem").write_bytes(b"\xef\xbb\xbf" + text.encode())
        return "given.pem", "root.pem"
    if form == "UTF-16":
        (folder / "given.pem").write_bytes("".join(pems).encode("utf-16"))
        return "given.pem", "root.pem"
    if form == "DER":
        sign_intermediate(folder, GOOD)
        openssl(folder, "x509", "-in", "root.pem", "-outform", "DER", "-out", "root.cer")
        openssl(folder, "x509", "-in", "signed.pem", "-outform", "DER", "-out", "signed.cer")
        with (folder / "signed.cer").open("ab") as file:
            file.write(b"\r\n")
        return "signed.cer", "root.cer"
    openssl(folder, "crl2pkcs7", "-nocrl", "-certfile", "any-order.pem", "-outform",
            form.split()[-1], "-out", "given.p7b")
    return "given.p7b", "given.p7b"


@pytest.mark.parametrize("form", ["any order", "indented, byte order mark, CRLF", "UTF-16", "DER",
                                  "PKCS#7 PEM", "PKCS#7 DER"])
def test_a_certificate_is_imported_as_another_ca_sends_it(intermediate, form):
    chain_of_three(intermediate)
    certificate, root = write_form(intermediate, form)
    do_import(intermediate, certificate, root, check=True)
    written = (intermediate / "ca.pem").read_text()
    assert written.count("BEGIN CERTIFICATE") == (2 if form == "DER" else 3)
    leaf = x509.load_pem_x509_certificate(written.encode())
    assert leaf.subject.rfc4514_string().startswith("CN=Test Device CA")


@pytest.mark.parametrize("what, sentence", [
    ("trusted", "holds a TRUSTED CERTIFICATE block"),
    ("key", "holds a PRIVATE KEY block; only certificates are expected here"),
    ("text", "holds no certificate"),
    ("cut", "a PEM block is damaged or cut off"),
])
def test_what_is_no_certificate_is_named_and_not_imported(intermediate, what, sentence):
    sign_intermediate(intermediate, GOOD)
    signed = (intermediate / "signed.pem").read_text()
    given = {"key": signed + (intermediate / "root.key").read_text(), "text": "to follow",
             "cut": signed[:200]}
    (intermediate / "given.pem").write_text(given.get(what, ""))
    if what == "trusted":
        openssl(intermediate, "x509", "-in", "signed.pem", "-trustout", "-out", "given.pem")
    run = do_import(intermediate, "given.pem")
    assert run.returncode == 65 and "CaCertificateInvalid" in run.stderr, run.stderr
    assert "given.pem: " in run.stderr and sentence in run.stderr
    assert not (intermediate / "ca.pem").exists()


@pytest.mark.parametrize("extensions, code", [
    ("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n", 65),
    ("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,cRLSign\n", 65),
], ids=["not a CA", "no keyCertSign"])
def test_a_certificate_that_is_no_ca_is_not_imported(intermediate, extensions, code):
    sign_intermediate(intermediate, extensions)
    run = do_import(intermediate)
    assert run.returncode == code and "CaCertificateInvalid" in run.stdout + run.stderr


def test_a_certificate_of_another_root_is_not_imported(intermediate):
    sign_intermediate(intermediate, GOOD)
    offline_root(intermediate, "stranger")
    run = do_import(intermediate, root="stranger.pem")
    assert run.returncode == 65 and "CaChainInvalid" in run.stdout + run.stderr


def test_a_certificate_of_another_key_is_not_imported(intermediate):
    offline_root(intermediate, "stranger")
    run = do_import(intermediate, certificate="stranger.pem", root="stranger.pem")
    assert run.returncode == 65 and "CaCertificateMismatch" in run.stdout + run.stderr


def test_an_extractable_key_is_refused(token, make_appliance):
    """A key that somebody put into the token himself could be anywhere else too."""
    openssl(token, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out",
            "imported.key")
    subprocess.run(["softhsm2-util", "--import", "imported.key", "--token", TOKEN_LABEL, "--label",
                    "device-ca", "--id", "01", "--pin", PIN], cwd=token, env=softhsm_env(token),
                   check=True, stdout=subprocess.DEVNULL)
    openssl(token, "req", "-x509", "-new", "-key", "imported.key", "-subj", "/CN=Imported", "-days",
            "100", "-out", "ca.pem", "-addext", "keyUsage=critical,keyCertSign")
    appliance = make_appliance()
    for name in ("tokens", "ca.pem"):
        subprocess.run(["rm", "-rf", str(appliance.folder / name)], check=True)
        subprocess.run(["cp", "-r", str(token / name), str(appliance.folder / name)], check=True)
    appliance.start(wait=False)
    appliance.wait_status(
        lambda each: "HsmKeyUnsafe" in [row["error"]["name"] for row in each["obstacles"]],
        "an imported key is refused at the start")


def test_doctor_names_token_and_config_lines(token):
    write_ceremony(token)
    ca(token, "init", "ceremony.toml")
    run = subprocess.run([program("linesign"), "doctor", "--module", MODULE], cwd=token,
                         env=softhsm_env(token), capture_output=True, text=True, timeout=60,
                         check=False)
    assert TOKEN_LABEL in run.stdout
    assert "token_label" in run.stdout and "CKM_ECDSA" in run.stdout
