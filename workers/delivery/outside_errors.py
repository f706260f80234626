"""Descriptions of errors from outside services, without their own text.

The text of such an error may repeat what the service sent, with the name of a visitor. Only the
type of the error is used, and the names of failures from the operating system and OpenSSL.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Iterator


def describe(error: BaseException) -> str:
    """For example `ConnectError: Connection refused`."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError) and cause.reason:
            return f"{type(error).__name__}: {cause.reason}"
        if isinstance(cause, socket.gaierror):
            return f"{type(error).__name__}: the host is unknown"
        if isinstance(cause, OSError) and cause.errno and cause.errno in errno.errorcode:
            return f"{type(error).__name__}: {os.strerror(cause.errno)}"
    return type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        else:
            error = error.__cause__ or error.__context__
