"""The user's cache directory: where it is, and when it is not used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.model import limits
from reconciler.system.cache import UserCache, user_cache


@pytest.mark.parametrize(
    ("env", "folder"),
    [
        ({"TASKCTL_CACHE_DIR": "HOME/one", "XDG_CACHE_HOME": "HOME/two"}, "HOME/one/taskctl"),
        ({"XDG_CACHE_HOME": "HOME/two"}, "HOME/two/taskctl"),
        ({"TASKCTL_CACHE_DIR": "", "XDG_CACHE_HOME": ""}, "HOME/.cache/taskctl"),
        ({"XDG_CACHE_HOME": "relative"}, "HOME/.cache/taskctl"),
        ({}, "HOME/.cache/taskctl"),
        ({"TASKCTL_CACHE_DIR": "relative"}, None),
    ],
)
def test_where_it_is(
    env: dict[str, str], folder: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    env = {name: path.replace("HOME", str(tmp_path)) for name, path in env.items()}
    expected = None if folder is None else Path(folder.replace("HOME", str(tmp_path)))
    assert user_cache(env, None).folder == expected


def test_without_a_home_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    assert user_cache({}, None) == UserCache()


def test_there_is_none_where_it_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert user_cache({"TASKCTL_CACHE_DIR": str(tmp_path / "file/new")}, None) == UserCache()


def test_it_is_never_in_the_repository(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    (repository / "in").mkdir(parents=True, mode=0o700)
    (tmp_path / "link").symlink_to(repository / "in")
    for folder in (repository, repository / "in", repository / "new", tmp_path / "link/new"):
        assert user_cache({"TASKCTL_CACHE_DIR": str(folder)}, repository) == UserCache()
    beside = tmp_path / "repository-2"
    assert user_cache({"TASKCTL_CACHE_DIR": str(beside)}, repository) == UserCache(
        beside / "taskctl"
    )


def test_it_is_private(tmp_path: Path) -> None:
    cache = user_cache({"TASKCTL_CACHE_DIR": str(tmp_path / "a/b")}, None)
    before = os.umask(0)
    try:
        cache.write("x", b"1")
    finally:
        os.umask(before)
    assert (tmp_path / "a/b/taskctl").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a/b/taskctl/x").stat().st_mode & 0o777 == 0o600
    assert cache.read("x") == b"1"
    assert cache.read("y") is None


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o770, 0o777])
def test_a_directory_that_others_have_access_to_is_not_used(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "taskctl"
    folder.mkdir()
    (folder / "x").write_bytes(b"1")
    (folder / "x").chmod(0o600)
    folder.chmod(mode)
    assert user_cache({"TASKCTL_CACHE_DIR": str(tmp_path)}, None) == UserCache()
    cache = UserCache(folder)  # as if its mode had changed later
    cache.write("x", b"2")
    assert cache.read("x") is None
    assert (folder / "x").read_bytes() == b"1"


def test_a_file_that_others_have_access_to_is_not_read(tmp_path: Path) -> None:
    cache = UserCache(tmp_path)
    cache.write("x", b"1")
    (tmp_path / "link").symlink_to(tmp_path / "x")
    assert cache.read("link") is None
    for mode in (0o604, 0o640, 0o620, 0o602):
        (tmp_path / "x").chmod(mode)
        assert cache.read("x") is None
    cache.write("x", b"2")
    assert cache.read("x") == b"2"


def test_what_belongs_to_another_user_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = UserCache(tmp_path / "taskctl")
    cache.write("x", b"1")
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    assert cache.read("x") is None
    cache.write("x", b"2")
    assert (tmp_path / "taskctl/x").read_bytes() == b"1"
    assert user_cache({"TASKCTL_CACHE_DIR": str(tmp_path)}, None) == UserCache()


def test_a_link_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "taskctl").symlink_to(tmp_path / "real")
    assert user_cache({"TASKCTL_CACHE_DIR": str(tmp_path)}, None) == UserCache()


def test_a_file_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "taskctl").touch(mode=0o600)
    assert user_cache({"TASKCTL_CACHE_DIR": str(tmp_path)}, None) == UserCache()


def test_it_is_private_in_a_directory_that_is_not(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    user_cache({"TASKCTL_CACHE_DIR": str(tmp_path)}, None).write("x", b"1")
    assert user_cache({"TASKCTL_CACHE_DIR": str(tmp_path)}, None).read("x") == b"1"


def test_a_large_file_is_neither_written_nor_read(tmp_path: Path) -> None:
    cache = UserCache(tmp_path)
    cache.write("x", b"1")
    with (tmp_path / "x").open("r+b") as file:
        file.truncate(limits.CACHED_FILE_BYTES + 1)
    assert cache.read("x") is None
    cache.write("y", bytes(limits.CACHED_FILE_BYTES + 1))
    assert not (tmp_path / "y").exists()


def test_without_a_directory_nothing_is_kept() -> None:
    UserCache().write("x", b"1")
    assert UserCache().read("x") is None
