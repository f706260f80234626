"""The generated secret key of an installation without SECRET_KEY, stored in the data dir."""

import os
import secrets
from pathlib import Path

import msgspec

from runtime.data_dir import prepare_data_dir
from runtime.errors import CommandFailed
from runtime.settings import Settings


def with_secret_key(settings: Settings) -> Settings:
    """The settings with at least one secret key; creates `DATA_DIR/secret_key` if needed."""
    if settings.secret_keys:
        return settings
    key = stored_secret(_key_file(prepare_data_dir(settings.data_dir)))
    return msgspec.structs.replace(settings, secret_keys=(key,))


def with_stored_key(settings: Settings) -> Settings:
    """The settings with the stored key, if there is one. Creates nothing."""
    stored = _key_file(settings.data_dir)
    if settings.secret_keys or not stored.exists():
        return settings
    return msgspec.structs.replace(settings, secret_keys=(_read(stored),))


def with_existing_key(settings: Settings) -> Settings:
    """The settings with a secret key that exists already. Raises `CommandFailed` without one."""
    settings = with_stored_key(settings)
    if not settings.secret_keys:
        stored = _key_file(settings.data_dir)
        raise CommandFailed(f"no SECRET_KEY: set it, or restore the file {stored}")
    return settings


def _key_file(data_dir: Path) -> Path:
    return data_dir / "secret_key"


def stored_secret(path: Path) -> str:
    """The secret in the file. A missing file is created with a new secret, readable only by this
    account."""
    if not path.exists():
        _create(path)
    return _read(path)


def _read(path: Path) -> str:
    key = path.read_text(encoding="ascii").strip()
    if not key:
        raise CommandFailed(f"{path} is empty: put the key back")
    return key


def _create(path: Path) -> None:
    """Write a temporary file and link it: two concurrent processes then read the same key."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(48) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass  # another process was first: its key is used
    finally:
        temporary.unlink()
