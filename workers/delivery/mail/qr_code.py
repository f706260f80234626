"""The QR code of a ticket, as a picture for mails."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from struct import pack

import segno

QR_CODE_ID = "ticket@events-face"
"""Content id, by which the HTML shows the picture."""

MASK = 3
"""One of eight patterns, all of which scanners read. To find the best one takes longer than all the
rest of a mail."""

MARGIN = 4
"""Modules around the code, as scanners expect."""


def qr_code(ticket: str) -> bytes:
    """A PNG with a white margin, so that it can be scanned on a dark background."""
    modules = segno.make(ticket, error="m", mask=MASK).matrix_iter(border=MARGIN)
    return _png([bytes(0 if module else 255 for module in row) for row in modules])


def _png(rows: list[bytes]) -> bytes:
    """With one bit a pixel, so that a byte is a module 8 pixels wide. The writer of segno takes ten
    times as long."""
    width = 8 * len(rows[0])
    header = pack(">IIBBBBB", width, 8 * len(rows), 1, 0, 0, 0, 0)
    lines = b"".join(8 * (b"\0" + row) for row in rows)  # 0: the line is not filtered
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunks(chunks))


def _chunks(chunks: Iterable[tuple[bytes, bytes]]) -> Iterable[bytes]:
    for kind, content in chunks:
        checksum = zlib.crc32(kind + content)
        yield pack(">I", len(content)) + kind + content + pack(">I", checksum)
