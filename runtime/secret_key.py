"""The signing key of an installation that was given none: generated once, kept in the data dir."""

import os
import secrets
from pathlib import Path

import msgspec

from runtime.data_dir import prepared
from runtime.errors import CommandFailed
from runtime.settings import Settings


def with_secret_key(settings: Settings) -> Settings:
    """The settings with at least one secret key, creating `DATA_DIR/secret_key` if need be."""
    if settings.secret_keys:
        return settings
    key = kept_secret(_kept_in(prepared(settings.data_dir)))
    return msgspec.structs.replace(settings, secret_keys=(key,))


def with_kept_key(settings: Settings) -> Settings:
    """The same, creating nothing: without any key where none is kept."""
    kept = _kept_in(settings.data_dir)
    if settings.secret_keys or not kept.exists():
        return settings
    return msgspec.structs.replace(settings, secret_keys=(_read(kept),))


def with_existing_key(settings: Settings) -> Settings:
    """The same, for what was kept under some key. Raises `CommandFailed` when there is none."""
    settings = with_kept_key(settings)
    if not settings.secret_keys:
        kept = _kept_in(settings.data_dir)
        raise CommandFailed(f"no SECRET_KEY: set it, or put the one that was kept into {kept}")
    return settings


def _kept_in(data_dir: Path) -> Path:
    return data_dir / "secret_key"


def kept_secret(path: Path) -> str:
    """What the file holds; a new secret, which only this account can read, if there is no file."""
    if not path.exists():
        _create(path)
    return _read(path)


def _read(path: Path) -> str:
    key = path.read_text(encoding="ascii").strip()
    if not key:
        raise CommandFailed(f"{path} is empty: put the key back")
    return key


def _create(path: Path) -> None:
    """Write a whole file aside and link it in: of two processes at once, both read one key."""
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(48) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(aside, path)
    except FileExistsError:
        pass  # another process was first; its key is the one
    finally:
        aside.unlink()
