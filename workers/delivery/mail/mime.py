"""Parts of a mail, as the bytes that are sent: RFC 5322 and 2045 to 2047.

The library `email` would take ten times as long, and would choose other boundaries each time.
"""

from __future__ import annotations

import re
from base64 import encodebytes
from binascii import b2a_qp
from collections.abc import Sequence
from email.policy import SMTP, SMTPUTF8

CRLF = b"\r\n"

_LINE_END = re.compile("\r\n?|[\x85\u2028\u2029]")

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")

_SIMPLE = re.compile(r"[!-~](?:[ -~]{0,900}[!-~])?")


def header(name: str, value: str, *, utf8: bool = False) -> bytes:
    """A line, or several, with the value encoded where needed. `utf8`: the value as it is. Raises
    ValueError for a value with a line break."""
    if _SIMPLE.fullmatch(value):
        return f"{name}: {value}\r\n".encode()
    policy = SMTPUTF8 if utf8 else SMTP
    folded: str = policy.header_factory(name, value).fold(policy=policy)
    return folded.encode()


def text(subtype: str, content: str) -> bytes:
    """As quoted-printable, which is readable where it is ASCII."""
    printable = _CONTROL.sub(" ", _LINE_END.sub("\n", content))
    encoded = b2a_qp(printable.encode(), istext=True).replace(b"\n", CRLF)
    return _part(f'text/{subtype}; charset="utf-8"', "quoted-printable", encoded)


def binary(content_type: str, content: bytes, *headers: str) -> bytes:
    """As base64."""
    encoded = encodebytes(content).replace(b"\n", CRLF)
    return _part(content_type, "base64", encoded, *headers)


def multipart(subtype: str, boundary: str, parts: Sequence[bytes]) -> bytes:
    """`boundary` is one that no part contains: base64 and quoted-printable have no `=_`."""
    line = f"--=_{boundary}".encode()
    body = b"".join(line + CRLF + part + CRLF for part in parts)
    head = f'Content-Type: multipart/{subtype}; boundary="=_{boundary}"'.encode()
    return head + CRLF + CRLF + body + line + b"--" + CRLF


def _part(content_type: str, encoding: str, encoded: bytes, *headers: str) -> bytes:
    head = [f"Content-Type: {content_type}", f"Content-Transfer-Encoding: {encoding}", *headers]
    return "".join(f"{line}\r\n" for line in head).encode() + CRLF + encoded
