"""QR codes as pictures, as a camera would see them."""

from __future__ import annotations

import segno

SCALE = 6
"""Pixels of a module."""

PAPER, INK = 225, 25


def grey(text: str, width: int, height: int) -> bytes:
    """A byte for each pixel: the code in the middle, on paper."""
    code = [list(row) for row in segno.make(text, error="m").matrix_iter(scale=SCALE, border=4)]
    left, top = (width - len(code)) // 2, (height - len(code)) // 2
    pixels = bytearray([PAPER]) * (width * height)
    for y, row in enumerate(code):
        begin = (top + y) * width + left
        pixels[begin : begin + len(row)] = bytes(INK if dark else PAPER for dark in row)
    return bytes(pixels)


def gray_map(text: str, width: int = 400, height: int = 400) -> bytes:
    """As the door page sends a frame."""
    return b"P5 %d %d 255\n" % (width, height) + grey(text, width, height)


def video(*texts: str, width: int = 640, height: int = 480, each: int = 1) -> bytes:
    """A film in YUV4MPEG2, which shows each of the codes for so many frames, at 5 a second."""
    head = b"YUV4MPEG2 W%d H%d F5:1 Ip A1:1 C420jpeg\n" % (width, height)
    colourless = bytes([128]) * (width * height // 2)
    frames = [b"FRAME\n" + grey(text, width, height) + colourless for text in texts]
    return head + b"".join(frame * each for frame in frames)
