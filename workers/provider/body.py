"""The body of an answer, unpacked by small steps: a few bytes may unpack to gigabytes."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import httpx

STEP = 64 * 1024  # bytes

GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
"""For `zlib`: that it finds out which of the two it is."""


class NotReadable(Exception):
    """An answer cannot be read; the message says why."""


class Allowance:
    """Bytes that may still come."""

    def __init__(self, size: int) -> None:
        self._size = self._left = size

    def spend(self, size: int) -> None:
        """Raises `NotReadable`."""
        self._left -= size
        if self._left < 0:
            raise NotReadable(f"more than {self._size / 1024**2:.0f} MiB")


async def read_body(response: httpx.Response, allowance: Allowance) -> bytes:
    """Raises `NotReadable`."""
    unpacker = _unpacker(response.headers.get("content-encoding", ""))
    body = bytearray()
    async for sent in response.aiter_raw():
        allowance.spend(len(sent))
        if unpacker is None:
            body += sent
            continue
        for part in unpacker.unpack(sent):
            allowance.spend(len(part))
            body += part
    return bytes(body)


def _unpacker(encoding: str) -> _Unpacker | None:
    match encoding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip" | "deflate":
            return _Unpacker()
        case _:
            raise NotReadable("the answer is in an encoding that was not asked for")


class _Unpacker:
    """Of gzip, whose members may follow each other, or of zlib."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(GZIP_OR_ZLIB)

    def unpack(self, sent: bytes) -> Iterator[bytes]:
        """Parts of at most `STEP` bytes. Raises `NotReadable`."""
        try:
            while sent:
                if self._member.eof:
                    self._member = zlib.decompressobj(GZIP_OR_ZLIB)
                while part := self._member.decompress(sent, STEP):
                    yield part
                    sent = self._member.unconsumed_tail
                sent = self._member.unused_data
        except zlib.error as error:
            raise NotReadable("the answer cannot be unpacked") from error
