from pathlib import Path

import pytest

from runtime.embedded.runtime_dir import MAX_SOCKET_PATH, runtime_dir
from runtime.errors import CommandFailed

LONG = "x" * 120


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_sockets_live_in_the_data_dir_when_their_path_fits(short_folder: Path) -> None:
    data_dir = made(short_folder / "data")
    assert runtime_dir(data_dir) == data_dir / "run"


def test_sockets_live_elsewhere_when_it_does_not(short_folder: Path) -> None:
    data_dir = made(short_folder / LONG)
    assert len(str(runtime_dir(data_dir) / "postgres/.s.PGSQL.5432")) <= MAX_SOCKET_PATH
    assert runtime_dir(data_dir) == runtime_dir(data_dir)


def test_two_data_dirs_never_share_a_folder(short_folder: Path) -> None:
    one, two = made(short_folder / (LONG + "1")), made(short_folder / (LONG + "2"))
    assert runtime_dir(one) != runtime_dir(two)


def test_a_folder_that_others_can_write_to_is_refused(short_folder: Path) -> None:
    data_dir = made(short_folder / LONG)
    runtime_dir(data_dir).chmod(0o777)
    with pytest.raises(CommandFailed, match="not a private folder"):
        runtime_dir(data_dir)


def test_a_link_in_place_of_the_folder_is_refused(short_folder: Path) -> None:
    data_dir = made(short_folder / LONG)
    folder = runtime_dir(data_dir)
    folder.rmdir()
    folder.symlink_to(made(short_folder / "elsewhere"))
    with pytest.raises(CommandFailed, match="not a private folder"):
        runtime_dir(data_dir)
