"""Asks IAM Roles Anywhere for a session, with a certificate and its key."""

import base64
import hashlib
import json

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

from . import x509
from .sigv4 import canonical_request, headers_to_sign, split_query, string_to_sign


def create_session(aws, pem, key, account, role, region="eu-west-1", chain=(), seconds=None,
                   change=None, anchor="anchor", profile="profile"):
    """`aws` is a RunningDouble; `key` the PEM of the private key; `chain` holds PEMs; `change` may
    alter the headers after they were signed."""
    client = aws.client(region=region)
    key = serialization.load_pem_private_key(key.encode(), None)
    certificate = x509.from_pem(pem)
    is_ec = isinstance(key, ec.EllipticCurvePrivateKey)
    algorithm = "AWS4-X509-ECDSA-SHA256" if is_ec else "AWS4-X509-RSA-SHA256"
    body = json.dumps({} if seconds is None else {"durationSeconds": seconds}).encode()
    prefix = f"arn%3Aaws%3Arolesanywhere%3A{region}%3A{account}%3A"
    target = (f"/sessions?profileArn={prefix}profile%2F{profile}"
              f"&roleArn=arn%3Aaws%3Aiam%3A%3A{account}%3Arole%2F{role}"
              f"&trustAnchorArn={prefix}trust-anchor%2F{anchor}")
    amz_date = client.amz_date()
    headers = {"host": client.host, "content-type": "application/json", "x-amz-date": amz_date,
               "x-amz-x509": base64.b64encode(certificate.der).decode()}
    if chain:
        headers["x-amz-x509-chain"] = ",".join(
            base64.b64encode(x509.from_pem(each).der).decode() for each in chain)
    signed = headers_to_sign(headers)
    canonical = canonical_request("POST", "/sessions", split_query(target.partition("?")[2]),
                                  headers, signed, hashlib.sha256(body).hexdigest())
    scope = f"{amz_date[:8]}/{region}/rolesanywhere/aws4_request"
    text = string_to_sign(amz_date, scope, canonical, algorithm).encode()
    made = key.sign(text, ec.ECDSA(hashes.SHA256())) if is_ec else \
        key.sign(text, padding.PKCS1v15(), hashes.SHA256())
    headers["authorization"] = (f"{algorithm} Credential={certificate.serial}/{scope}, "
                                f"SignedHeaders={';'.join(signed)}, Signature={made.hex()}")
    if change:
        change(headers)
    answer = client.send("POST", target, headers, body)
    client.close()
    return answer
