"""The release that runs, as the installed package names it."""

from functools import cache


@cache
def release() -> str:
    from importlib.metadata import version  # only where it is asked for: --help stays quick

    return version("events-face")
