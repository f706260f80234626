"""Pictures, read as plainly as the tests need."""

from __future__ import annotations

import zlib
from struct import unpack


def grey_picture(png: bytes) -> memoryview:
    """Rows of grey pixels, of a PNG with one bit a pixel and no filters."""
    width, height = unpack(">II", png[16:24])
    assert png[24:29] == b"\x01\x00\x00\x00\x00"
    start = png.index(b"IDAT") + 4
    lines = zlib.decompress(png[start:])
    stride = 1 + width // 8
    rows = [lines[line * stride + 1 : (line + 1) * stride] for line in range(height)]
    pixels = bytes(
        255 * (byte >> bit & 1) for row in rows for byte in row for bit in range(7, -1, -1)
    )
    return memoryview(pixels).cast("B", (height, width))
