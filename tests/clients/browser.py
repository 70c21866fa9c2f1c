"""Asks as a browser does: browser.py BROWSER tcp|quic NAME [OUTER NAME].

With an outer name, NAME is in what is encrypted alone. What becomes of the question is printed, and is no failure.
"""

import base64
import os
import sys

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from curl_cffi import CurlHttpVersion, CurlOpt, get
from curl_cffi.requests.exceptions import RequestException


def sized(content, width):
    return len(content).to_bytes(width, "big") + content


def ech_configs(outer):
    """An ECHConfigList (RFC 9849, 4) with a key that no server has: X25519, HKDF-SHA256, AES-128-GCM."""
    key = X25519PrivateKey.generate().public_key().public_bytes_raw()
    suite = bytes.fromhex("00010001")
    longest_name = bytes([64])
    of_key = bytes([1]) + bytes.fromhex("0020") + sized(key, 2) + sized(suite, 2)
    config = of_key + longest_name + sized(outer.encode(), 1) + sized(b"", 2)
    return sized(bytes.fromhex("fe0d") + sized(config, 2), 2)


browser, over, name, *outer = sys.argv[1:]
options = {}
if over == "quic":
    options[CurlOpt.HTTP_VERSION] = CurlHttpVersion.V3ONLY
if outer:
    options[CurlOpt.ECH] = "ecl:" + base64.b64encode(ech_configs(outer[0])).decode()
try:
    answer = get(f"https://{name}/", impersonate=browser, verify=os.environ.get("SSL_CERT_FILE", True), curl_options=options)
    print(answer.status_code)
except RequestException as error:
    print(int(error.code), error)
