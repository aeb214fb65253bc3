"""Atomic writing: whole or absent, also where the disk is full."""

import errno
from pathlib import Path

import pytest

from training.errors import ProjectError
from training.files import check_output, get_cache_dir, write_atomically, write_text


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fail(temporary: Path) -> None:
        temporary.write_text("half", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "old"
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        write_atomically(path, fail)
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_are_made(tmp_path):
    write_text(tmp_path / "a" / "b" / "c.txt", "é")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == "é".encode()


def test_a_full_disk_becomes_one_sentence(tmp_path):
    def fill(temporary: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ProjectError, match=r"No space left on the disk while writing .*a\.txt"):
        write_atomically(tmp_path / "a.txt", fill)


def test_other_errors_of_the_system_keep_their_kind(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_text(tmp_path / "a.txt", "text")


def test_what_cannot_be_written_to_is_told_apart_from_what_can(tmp_path):
    """A folder is no file to write, and below a file there is no room for another."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(ProjectError, match="folder is a folder: name the file in it"):
        check_output(tmp_path / "folder")
    with pytest.raises(ProjectError, match="file cannot be written"):
        check_output(tmp_path / "file" / "a.txt")
    for path in (tmp_path / "file", tmp_path / "new" / "a.txt"):
        check_output(path)
    assert list((tmp_path / "new").iterdir()) == []


def test_cache_folder_follows_xdg(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert get_cache_dir() == tmp_path / "latent-explorer"
    assert not get_cache_dir().exists()  # reading from it needs no folder
    assert get_cache_dir(tmp_path / "mine") == tmp_path / "mine"
