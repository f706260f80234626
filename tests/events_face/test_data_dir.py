import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from runtime.data_dir import prepare_data_dir
from runtime.errors import CommandFailed


def test_a_read_only_file_system_is_reported_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY))
    with pytest.raises(CommandFailed, match="cannot be used: its file system is read-only"):
        prepare_data_dir(tmp_path)


@pytest.mark.parametrize("kept", ["secret_key", "postgres.lock", "up.lock", "run"])
def test_the_error_for_another_account_names_the_owner_of_the_installation(
    kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / kept).touch()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(CommandFailed, match=r"belongs to the account \w+: run this as that"):
        prepare_data_dir(tmp_path)


def test_an_empty_folder_of_another_account_that_may_be_used_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert prepare_data_dir(tmp_path) == tmp_path.resolve()
