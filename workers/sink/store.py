"""What the sink has received of one kind: all of it in a file, the newest in memory."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

import msgspec

KEPT = 10_000

KEYS_KNOWN = 100_000
"""Keys that a repeat is recognised by, the newest."""


R = TypeVar("R")


class _Line(msgspec.Struct, Generic[R], frozen=True):
    """Of the file."""

    key: str
    received: R


_encode = msgspec.json.Encoder().encode


class SinkStore(Generic[R]):
    """Begins with what the file holds; what is received is in the file before it is answered for.

    The file is not synced to disk: it is for looking at, and survives the process, not the machine.
    """

    def __init__(self, path: Path, kind: type[R], kept: int = KEPT) -> None:
        """`kept`: how many are in memory."""
        self.total = 0
        """Received, each counted once."""
        self.repeats = 0
        """How often one came again, since the start."""
        self._decode = msgspec.json.Decoder(_Line[kind]).decode  # type: ignore[valid-type]
        self._newest = deque[R](maxlen=kept)
        self._keys = OrderedDict[str, None]()
        path.touch(mode=0o600)
        path.chmod(0o600)
        with path.open("rb") as lines:
            for line in lines:
                self._load(line)
        self._file = path.open("ab", buffering=0)
        self._file.write(b"\n")  # the last line may be half a one

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def take(self, key: str, received: R) -> bool:
        """Keep it, unless the key is known; answers whether it was new."""
        if key in self._keys:
            self.repeats += 1
            return False
        self._file.write(_encode(_Line(key, received)) + b"\n")
        self._keep(key, received)
        return True

    def newest(self, limit: int, *, where: Callable[[R], bool] = lambda _: True) -> Iterator[R]:
        return islice(filter(where, reversed(self._newest)), limit)

    def _keep(self, key: str, received: R) -> None:
        self.total += 1
        self._newest.append(received)
        self._keys[key] = None
        if len(self._keys) > KEYS_KNOWN:
            self._keys.popitem(last=False)

    def _load(self, line: bytes) -> None:
        try:
            loaded = self._decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return  # an empty line, or one that a dying process left half written
        self._keep(loaded.key, loaded.received)
