"""Reads the QR code in a frame of a camera, for browsers that have no `BarcodeDetector`.

A frame is a Portable GrayMap: `P5 400 400 255`, a line feed, and a byte for each pixel. Decoding
takes up to 3 ms; frames are kept nowhere.
"""

from __future__ import annotations

import asyncio
import re
from uuid import UUID

import msgspec
from litestar import Response, post
from litestar.params import FromPath

from api.http.access import Permission
from api.http.bodies import UnsupportedMediaType, has_media_type
from api.http.requests import Request
from api.http.responses import Answer, json_response, not_stored
from domain.core.errors import InvalidFields

MEDIA_TYPE = "image/x-portable-graymap"

MAX_SIDE = 640
"""Pixels."""

_HEADER = re.compile(rb"P5\s(\d{1,4})\s(\d{1,4})\s255\s")


class NotAGrayMap(UnsupportedMediaType):
    """The body must be sent as image/x-portable-graymap"""


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    text: str | None
    """Of the QR code; null if none is seen."""


@post(
    "/door/{event_id:uuid}/frames",
    status_code=200,
    include_in_schema=False,
    opt={
        "access": Permission.CHECK_IN,
        "limit": "frames",
        "accepts": MEDIA_TYPE,
        "body_limit": MAX_SIDE * MAX_SIDE + 100,
    },
)
async def read_frame(request: Request, event_id: FromPath[UUID]) -> Response[Answer[Frame]]:
    """The id is for keys that are restricted to an event."""
    if not has_media_type(request.scope["headers"], MEDIA_TYPE.encode()):
        raise NotAGrayMap
    pixels = _pixels(await request.body())
    text = await asyncio.to_thread(_qr_code, pixels)
    return not_stored(json_response(Answer(data=Frame(text=text))))


def _pixels(frame: bytes) -> memoryview:
    """By row and column. Raises InvalidFields."""
    header = _HEADER.match(frame)
    if header is None:
        raise InvalidFields(body="must begin with P5, width, height and 255")
    width, height = int(header[1]), int(header[2])
    pixels = memoryview(frame)[header.end() :]
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise InvalidFields(body=f"must be 1 to {MAX_SIDE} pixels wide and high")
    if len(pixels) != width * height:
        raise InvalidFields(body=f"must have a byte for each of its {width} × {height} pixels")
    return pixels.cast("B", (height, width))


def _qr_code(pixels: memoryview) -> str | None:
    import zxingcpp

    found = zxingcpp.read_barcode(pixels, formats=zxingcpp.barcode_formats_from_str("QRCode"))
    return found.text if found else None
