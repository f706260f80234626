"""What a sub-command is: the options it takes, and the function that does it."""

import argparse
from collections.abc import Mapping
from typing import Any

import msgspec

from runtime.errors import WrongUsage
from runtime.settings import Settings
from runtime.variables import comma_separated

QUEUES = ("notifications", "periodic", "webhooks")
"""The work of workers."""


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """An argument, handed to the function as the keyword `name`.

    One that is not given takes its value from the setting `setting`, if that is named.
    """

    flag: str
    name: str
    help: str
    setting: str | None = None
    more: Mapping[str, Any] = {}


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """`function` ("module:name") gets the settings, the services if `needs_services`, the options.

    A `role` is a long-running process: what ends one unexpectedly is shown in full. One that
    `begins` makes a new installation where there is none; one that is `offline` needs none; any
    other command is refused there.
    """

    help: str
    example: str
    function: str
    options: tuple[Option, ...] = ()
    needs_services: bool = True
    role: bool = False
    begins: bool = False
    offline: bool = False


def count(text: str) -> int:
    if (count := int(text)) < 1:
        raise ValueError
    return count


def position(text: str) -> int:
    if not 0 <= (position := int(text)) < 2**63:
        raise ValueError
    return position


def queues(text: str) -> frozenset[str]:
    chosen = frozenset(comma_separated(text))
    if not chosen or not chosen <= set(QUEUES):
        raise argparse.ArgumentTypeError(f"must be some of {', '.join(QUEUES)}")
    return chosen


def seconds(text: str) -> float:
    if not 0 < (seconds := float(text)) < 86_400:
        raise ValueError
    return seconds


def seconds_of_grace(text: str) -> int:
    if not 0 <= (seconds := int(text)) <= 604_800:
        raise argparse.ArgumentTypeError("must be from 0 to 604800")
    return seconds


AS_JSON = Option(flag="--json", name="json", help="as JSON", more={"action": "store_true"})


def value_of(option: Option, given: object, settings: Settings) -> object:
    """Raises `WrongUsage` for bytes that are no text."""
    if isinstance(given, str):
        try:
            given.encode()
        except UnicodeEncodeError:
            raise WrongUsage(f"{option.flag} must be text in UTF-8") from None
    if given is None and option.setting is not None:
        return getattr(settings, option.setting)
    return given
