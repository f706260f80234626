"""Reads the body of a response, decompressed in small chunks: a few bytes can become gigabytes."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import httpx

CHUNK_SIZE = 64 * 1024  # bytes

GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
"""Makes `zlib` detect the format."""


class UnreadableBody(Exception):
    """A body cannot be read; the message says why."""


class ByteBudget:
    """The number of bytes that may still be read."""

    def __init__(self, size: int) -> None:
        self._size = self._left = size

    def spend(self, size: int) -> None:
        """Raises `UnreadableBody`."""
        self._left -= size
        if self._left < 0:
            raise UnreadableBody(f"more than {self._size / 1024**2:.0f} MiB")


async def read_body(response: httpx.Response, allowance: ByteBudget) -> bytes:
    """Raises `UnreadableBody`."""
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
    if unpacker is not None and not unpacker.is_complete:
        raise UnreadableBody("the compressed answer is incomplete")
    return bytes(body)


def _unpacker(encoding: str) -> _Unpacker | None:
    match encoding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip" | "deflate":
            return _Unpacker()
        case _:
            raise UnreadableBody("the answer has a content encoding that was not requested")


class _Unpacker:
    """Decompresses zlib, or gzip with any number of members."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(GZIP_OR_ZLIB)
        self._has_begun = False

    @property
    def is_complete(self) -> bool:
        """Whether the body ends where its encoding says that it ends."""
        return self._member.eof or not self._has_begun

    def unpack(self, sent: bytes) -> Iterator[bytes]:
        """Parts of at most `CHUNK_SIZE` bytes. Raises `UnreadableBody`."""
        self._has_begun |= bool(sent)
        try:
            while sent:
                if self._member.eof:
                    self._member = zlib.decompressobj(GZIP_OR_ZLIB)
                while part := self._member.decompress(sent, CHUNK_SIZE):
                    yield part
                    sent = self._member.unconsumed_tail
                sent = self._member.unused_data
        except zlib.error as error:
            raise UnreadableBody("the answer cannot be decompressed") from error
