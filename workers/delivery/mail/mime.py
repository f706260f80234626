"""Parts of a mail, as the bytes that are sent: RFC 5322 and 2045 to 2047.

The library `email` would take ten times as long, and would choose other boundaries each time.
"""

from __future__ import annotations

import re
from base64 import b64encode, encodebytes
from binascii import b2a_qp
from collections.abc import Sequence

CRLF = b"\r\n"

_LINE_END = re.compile("\r\n?|[\x85\u2028\u2029]")

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")

_PLAIN = re.compile(r"(?!.*=\?)[!-~](?:[ -~]{0,900}[!-~])?")
"""Text that a header may have as it is. Readers could take what has `=?` for an encoded word."""

_ENCODED_AT_ONCE = 39
"""Bytes in an encoded word: with the name of a header, a line has at most 76 characters."""


def header(name: str, *lines: str) -> bytes:
    """A header with a value of one line or several. Raises ValueError for a line break in them."""
    if any(_CONTROL.search(line) or "\n" in line for line in lines):
        raise ValueError(f"{name} has a line break")
    value = "\r\n ".join(lines)
    return f"{name}: {value}\r\n".encode()


def is_plain(text: str) -> bool:
    return _PLAIN.fullmatch(text) is not None


def words(text: str) -> list[str]:
    """The lines of a header with this text: encoded words, unless it is plain.

    Those of the library `email` lose spaces, and it decodes what looks like an encoded word."""
    if is_plain(text):
        return [text]
    pieces = [b""]
    for character in text:
        encoded = character.encode()
        if len(pieces[-1]) + len(encoded) > _ENCODED_AT_ONCE:
            pieces.append(b"")
        pieces[-1] += encoded
    return [f"=?utf-8?b?{b64encode(piece).decode()}?=" for piece in pieces]


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
