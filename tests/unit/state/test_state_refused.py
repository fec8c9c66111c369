"""Bad states: each refused with its way out, and left byte for byte as it was."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.model.errors import StateError
from reconciler.state.codec import encode_state
from reconciler.state.model import Event, Recorded, State, fold
from reconciler.state.session import Session, read_state
from tests.support.state_powers import modes_apply
from tests.support.state_samples import BACKEND, empty, history, record

GOOD = encode_state(fold(empty(serial=3), history(4)))


def open_at(path: Path) -> State:
    with Session.open(path, backend=BACKEND, lock_timeout=timedelta(), purpose="a test") as session:
        return session.state


def read(path: Path) -> State:
    return read_state(path, backend=BACKEND)


def tree(folder: Path) -> dict[str, bytes | str]:
    """All that is in a folder but the lock, which is nobody's data."""
    return {
        str(found.relative_to(folder)): found.read_bytes() if found.is_file() else "folder"
        for found in folder.rglob("*")
        if found.suffix != ".lock"
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "taskctl.state.json"


@pytest.mark.parametrize("use", [read, open_at])
@pytest.mark.parametrize(
    ("data", "said", "way_out"),
    [
        (b"", "is empty", "cp "),
        (b"\0" * 512, "holds only zeros", "cp "),
        (GOOD[: len(GOOD) // 2], "is cut off", "cp "),
        (b"garbage", "is no JSON", "cp "),
        (b"\x80\x81", "is not UTF-8", "cp "),
        (b"[]", "must be an object", "cp "),
        (GOOD.replace(b'"version": 1', b'"version": 99'), "newer taskctl", "script/install"),
        (GOOD.replace(BACKEND.encode(), b"https://x.example"), "https://x.example", "--state"),
        (GOOD.replace(b'"taskId": "id-2"', b'"taskId": 2'), "taskId: must be text", "cp "),
        (b"<<<<<<< ours\n" + GOOD, "unfinished merge", "taskctl plan"),
    ],
)
@pytest.mark.parametrize("with_backup", [True, False])
def test_a_bad_file_is_refused_and_left(
    path: Path,
    use: Callable[[Path], State],
    data: bytes,
    said: str,
    way_out: str,
    with_backup: bool,
) -> None:
    path.write_bytes(data)
    if with_backup:
        path.with_name(path.name + ".backup").write_bytes(GOOD)
    before, stamp = tree(path.parent), path.stat().st_mtime_ns
    with pytest.raises(StateError) as caught:
        use(path)
    (told,) = caught.value.diagnostics
    assert told.file == str(path)
    assert said in told.summary
    if with_backup or way_out != "cp ":
        assert way_out in told.detail
    else:
        assert "--adopt all" in told.detail
        assert "cp " not in told.detail
    assert tree(path.parent) == before
    assert path.stat().st_mtime_ns == stamp


@pytest.mark.parametrize("use", [read, open_at])
@pytest.mark.parametrize("damage", [lambda b: b[:20] + b"?" + b[21:], lambda b: b"garbage\n" + b])
def test_a_damaged_journal_is_refused_and_left(
    path: Path, use: Callable[[Path], State], damage: Callable[[bytes], bytes]
) -> None:
    journal = path.with_name(path.name + ".journal")
    path.write_bytes(GOOD)
    with Session.open(path, backend=BACKEND, lock_timeout=timedelta(), purpose="x") as session:
        session.append(Recorded(record(5)))
        session.append(Recorded(record(6)))
        left = journal.read_bytes()
    path.write_bytes(GOOD)
    journal.write_bytes(damage(left))
    before = tree(path.parent)
    with pytest.raises(StateError) as caught:
        use(path)
    (told,) = caught.value.diagnostics
    assert (told.file, told.line) == (str(journal), 1)
    assert f"mv {journal}" in told.detail
    assert tree(path.parent) == before


@pytest.mark.parametrize("use", [read, open_at])
def test_a_folder_is_no_state(path: Path, use: Callable[[Path], State]) -> None:
    path.mkdir()
    (path / "x").write_text("y")
    before = tree(path.parent)
    with pytest.raises(StateError, match="is a folder") as caught:
        use(path)
    assert f"{path}/taskctl.state.json" in caught.value.diagnostics[0].detail
    assert tree(path.parent) == before


def test_what_is_no_file_at_all_is_not_read(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(StateError, match="no regular file"):
        read(path)


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StateError, match="Not a directory"):
        read(tmp_path / "file" / "state.json")
    with pytest.raises(StateError, match="cannot be made"):
        open_at(tmp_path / "file" / "state.json")


@pytest.mark.parametrize("suffix", ["", ".journal"])
@pytest.mark.parametrize("use", [read, open_at])
def test_what_may_not_be_read_is_not_absent(
    path: Path, use: Callable[[Path], State], suffix: str
) -> None:
    path.write_bytes(GOOD)
    secret = path.with_name(path.name + suffix)
    secret.write_bytes(GOOD)
    secret.chmod(0)
    with (
        modes_apply(),
        pytest.raises(StateError, match="cannot be read: Permission denied") as caught,
    ):
        use(path)
    assert f"ls -l {secret}" in caught.value.diagnostics[0].detail
    assert secret.read_bytes() == GOOD if os.geteuid() == 0 else True


def test_a_read_only_folder_can_be_planned_from_but_not_written(path: Path) -> None:
    path.write_bytes(GOOD)
    before = tree(path.parent)
    path.parent.chmod(0o500)
    try:
        with modes_apply():
            assert read(path).serial == 3
            with pytest.raises(StateError, match="cannot be locked: Permission denied") as caught:
                open_at(path)
            with pytest.raises(StateError, match="cannot be made: Permission denied"):
                open_at(path.parent / "new" / "state.json")
    finally:
        path.parent.chmod(0o700)
    assert "taskctl plan" in caught.value.diagnostics[0].detail
    assert tree(path.parent) == before


def test_a_folder_that_becomes_read_only_loses_nothing(path: Path) -> None:
    """A journal that is there can still be written; the state file cannot be replaced."""
    path.write_bytes(GOOD)
    happened: list[Event] = [Recorded(record(5)), Recorded(record(6))]
    session = Session.open(path, backend=BACKEND, lock_timeout=timedelta(), purpose="x")
    session.append(happened[0])
    path.parent.chmod(0o500)
    try:
        with modes_apply():
            session.append(happened[1])
            with pytest.raises(StateError, match="cannot be saved: Permission denied") as caught:
                session.close()
    finally:
        path.parent.chmod(0o700)
    detail = caught.value.diagnostics[0].detail
    assert "Nothing is lost" in detail
    assert str(path) + ".journal" in detail
    assert path.read_bytes() == GOOD
    assert read(path).records == fold(read(path), happened).records
    assert {record(5).ref, record(6).ref} <= set(open_at(path).records)
    assert not path.with_name(path.name + ".journal").exists()
