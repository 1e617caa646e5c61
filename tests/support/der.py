"""Writes and reads DER by hand, so that tests can make what no library agrees to make, and do not
believe the library that made it."""


def tlv(tag, content):
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    size = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + length.to_bytes(size, "big") + content


def sequence(*parts):
    return tlv(0x30, b"".join(parts))


def set_of(*parts):
    return tlv(0x31, b"".join(sorted(parts)))


def integer(value):
    size = value.bit_length() // 8 + 1
    return tlv(0x02, value.to_bytes(size, "big"))


def bit_string(octets):
    return tlv(0x03, b"\0" + octets)


def oid_content(dotted):
    arcs = [int(arc) for arc in dotted.split(".")]
    content = bytes([arcs[0] * 40 + arcs[1]])
    for arc in arcs[2:]:
        chunk = [arc & 0x7F]
        while arc > 0x7F:
            arc >>= 7
            chunk.append(0x80 | (arc & 0x7F))
        content += bytes(reversed(chunk))
    return content


def oid(dotted):
    return tlv(0x06, oid_content(dotted))


NULL = b"\x05\x00"
UTF8, PRINTABLE, TELETEX, IA5, BMP = 0x0C, 0x13, 0x14, 0x16, 0x1E
COUNTRY, LOCALITY, ORGANIZATION, UNIT = "2.5.4.6", "2.5.4.7", "2.5.4.10", "2.5.4.11"
COMMON_NAME, SERIAL_NUMBER = "2.5.4.3", "2.5.4.5"


def attribute(kind, value, tag=UTF8):
    content = value if isinstance(value, bytes) else value.encode(
        "utf-16-be" if tag == BMP else "latin-1" if tag == TELETEX else "utf-8")
    return sequence(oid(kind), tlv(tag, content))


def name(*attributes):
    """A Name of one attribute per RDN."""
    return sequence(*(set_of(each) for each in attributes))


def common_name(text, tag=UTF8):
    return name(attribute(COMMON_NAME, text, tag))


class Reader:
    """One element: its tag, its whole bytes and its content; children on demand."""

    def __init__(self, data, start=0):
        self.tag = data[start]
        length, header = data[start + 1], 2
        if length >= 0x80:
            header += length & 0x7F
            length = int.from_bytes(data[start + 2:start + header], "big")
        self.content = data[start + header:start + header + length]
        self.whole = data[start:start + header + length]
        if len(self.content) != length:
            raise ValueError("truncated DER")

    def children(self):
        found, position = [], 0
        while position < len(self.content):
            child = Reader(self.content, position)
            found.append(child)
            position += len(child.whole)
        return found


def csr_parts(der):
    """(subject, SubjectPublicKeyInfo) of a CSR, as they stand in it."""
    _, subject, spki = Reader(der).children()[0].children()[:3]
    return subject.whole, spki.whole


def certificate_parts(der):
    """(subject, SubjectPublicKeyInfo) of a certificate of version 3."""
    tbs = Reader(der).children()[0].children()
    return tbs[5].whole, tbs[6].whole
