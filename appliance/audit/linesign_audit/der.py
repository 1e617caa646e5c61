"""Certificates and their parts, read and put together here: nothing of linesign is believed."""

import base64
import calendar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

HASHES = {
    bytes.fromhex("300a06082a8648ce3d040302"): hashes.SHA256(),
    bytes.fromhex("300a06082a8648ce3d040303"): hashes.SHA384(),
    bytes.fromhex("300d06092a864886f70d01010b0500"): hashes.SHA256(),
}
COMMON_NAME = bytes.fromhex("0603550403")
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
WIDE_STRINGS = {0x1E: "utf-16-be", 0x1C: "utf-32-be"}  # BMPString, UniversalString
BEGIN, END = "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n"


def read_tlv(data, at):
    """(tag, start of content, end of content) of the element at `at`; strict about lengths."""
    tag, length, start = data[at], data[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(data[start:start + count], "big")
        start += count
        if count == 0 or count > 4 or length < 0x80 or length >> (8 * (count - 1)) == 0:
            raise ValueError(f"length at {at} is not DER")
    if start + length > len(data):
        raise ValueError(f"element at {at} is cut off")
    return tag, start, start + length


def children(data, start, end):
    """(tag, start of the whole element, start of its content, its end), in order."""
    while start < end:
        tag, content, stop = read_tlv(data, start)
        yield tag, start, content, stop
        start = stop


def tlv(tag, content):
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    size = (len(content).bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + len(content).to_bytes(size, "big") + content


def assemble(tbs, algorithm, signature):
    return tlv(0x30, tbs + algorithm + tlv(0x03, b"\0" + signature))


def unix_time(tag, content):
    """Seconds since 1970 of a UTCTime or a GeneralizedTime."""
    text = content.decode("ascii")
    if tag == UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != GENERALIZED_TIME:
        raise ValueError(f"tag {tag} is no time")
    if len(text) != 15 or text[14] != "Z":
        raise ValueError(f"{text} is no time of a certificate")
    parts = [int(text[:4])] + [int(text[at:at + 2]) for at in range(4, 14, 2)]
    return calendar.timegm((*parts, 0, 0, 0))


def parse_tbs(tbs):
    """Serial number (content octets), inner algorithm, issuer, validity, common names, key (SPKI)."""
    tag, start, end = read_tlv(tbs, 0)
    if tag != 0x30 or end != len(tbs):
        raise ValueError("TBS is not one SEQUENCE")
    parts = list(children(tbs, start, end))
    if parts[0][0] == 0xA0:
        parts = parts[1:]
    serial, algorithm, issuer, validity, subject, spki = parts[:6]
    names = []
    for _, _, rdn, rdn_end in children(tbs, subject[2], subject[3]):
        for _, _, attribute, attribute_end in children(tbs, rdn, rdn_end):
            kind, value = list(children(tbs, attribute, attribute_end))[:2]
            if tbs[kind[1]:kind[3]] == COMMON_NAME:
                coding = WIDE_STRINGS.get(value[0], "utf-8")
                names.append(tbs[value[2]:value[3]].decode(coding, "replace"))
    times = [unix_time(each[0], tbs[each[2]:each[3]])
             for each in children(tbs, validity[2], validity[3])]
    return {
        "serial": tbs[serial[2]:serial[3]],
        "algorithm": tbs[algorithm[1]:algorithm[3]],
        "issuer": tbs[issuer[1]:issuer[3]],
        "subject": tbs[subject[1]:subject[3]],
        "not_before": times[0],
        "not_after": times[1],
        "names": names,
        "spki": tbs[spki[1]:spki[3]],
    }


def split_certificate(der):
    """TBS, algorithm, signature of a certificate that stands alone."""
    tag, start, end = read_tlv(der, 0)
    parts = list(children(der, start, end))
    if tag != 0x30 or end != len(der) or len(parts) != 3 or der[parts[2][2]] != 0:
        raise ValueError("not a certificate")
    return (der[parts[0][1]:parts[0][3]], der[parts[1][1]:parts[1][3]], der[parts[2][2] + 1:parts[2][3]])


def leaf(text):
    """The first certificate of a PEM file, decoded here so that a sloppy reader hides nothing."""
    if not text.startswith(BEGIN) or END not in text:
        raise ValueError("does not start with a PEM certificate")
    return base64.b64decode("".join(text[len(BEGIN):text.index(END)].split()), validate=True)


def read_ca(path):
    """Text before the certificate, as of `openssl x509 -text`, does not count."""
    text = path.read_text(errors="replace")
    try:
        return Ca(leaf(text[max(text.find(BEGIN), 0):]))
    except (ValueError, LookupError) as error:
        raise ValueError(f"{path}: {error}") from error


class Ca:
    def __init__(self, der):
        parts = parse_tbs(split_certificate(der)[0])
        self.name = parts["subject"]
        self.not_before, self.not_after = parts["not_before"], parts["not_after"]
        self.der = der
        self.key = x509.load_der_x509_certificate(der).public_key()

    def has_signed(self, tbs, algorithm, signature):
        method = HASHES.get(algorithm)
        if method is None:
            return False
        try:
            if isinstance(self.key, ec.EllipticCurvePublicKey):
                self.key.verify(signature, tbs, ec.ECDSA(method))
            else:
                self.key.verify(signature, tbs, padding.PKCS1v15(), method)
        except InvalidSignature:
            return False
        return True
