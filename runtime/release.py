"""The version of the installed package."""

from functools import cache


@cache
def release() -> str:
    from importlib.metadata import version  # imported late, to keep --help fast

    return version("events-face")
