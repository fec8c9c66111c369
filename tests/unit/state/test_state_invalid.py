"""Invalid states: each is rejected with a way to fix it, and left unchanged byte for byte."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.model.codes import Code
from reconciler.model.diagnostics import StateError
from reconciler.state.codec import encode_state
from reconciler.state.ledger import fold
from reconciler.state.local import LocalState
from reconciler.state.location import Claim
from reconciler.state.model import Event, Recorded, State
from reconciler.state.session import Session, read_state
from tests.support.diagnostics import explanation, raises_with
from tests.support.root_privileges import modes_apply
from tests.support.state_samples import BACKEND, empty, history, record

GOOD = encode_state(fold(empty(serial=3), history(4)))


def open_at(path: Path) -> State:
    with Session.open(LocalState(path), Claim(BACKEND, "a test")) as session:
        return session.state


def read(path: Path) -> State:
    return read_state(LocalState(path), backend=BACKEND)


def tree(folder: Path) -> dict[str, bytes | str]:
    """Everything in a folder except the lock, which contains no data."""
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
    ("data", "code", "case"),
    [
        (b"", Code.STATE_DAMAGED, "empty"),
        (b"\0" * 512, Code.STATE_DAMAGED, "zeros"),
        (GOOD[: len(GOOD) // 2], Code.STATE_DAMAGED, "truncated"),
        (b"garbage", Code.STATE_DAMAGED, "json"),
        (b"\x80\x81", Code.STATE_DAMAGED, "utf8"),
        (b"[]", Code.STATE_DAMAGED, "json"),
        (GOOD.replace(b'"version": 5', b'"version": 99'), Code.STATE_VERSION, None),
        (GOOD.replace(BACKEND.encode(), b"https://x.example"), Code.STATE_BACKEND, None),
        (GOOD.replace(b'"taskId": "id-2"', b'"taskId": 2'), Code.STATE_DAMAGED, "shape"),
        (GOOD.replace(b"acme/moved", b"acme/loved"), Code.STATE_EDITED, None),
        (b"<<<<<<< ours\n" + GOOD, Code.STATE_MERGE, None),
    ],
)
@pytest.mark.parametrize("with_backup", [True, False])
def test_an_invalid_file_is_rejected_and_unchanged(
    path: Path,
    use: Callable[[Path], State],
    data: bytes,
    code: Code,
    case: str | None,
    with_backup: bool,
) -> None:
    path.write_bytes(data)
    if with_backup:
        path.with_name(path.name + ".backup").write_bytes(GOOD)
    before, stamp = tree(path.parent), path.stat().st_mtime_ns
    with pytest.raises(StateError) as caught:
        use(path)
    (told,) = caught.value.diagnostics
    assert (told.code, told.file) == (code, str(path))
    if case is not None:
        assert told.case == (case if with_backup else f"{case}.lost")
    assert tree(path.parent) == before
    assert path.stat().st_mtime_ns == stamp


@pytest.mark.parametrize("use", [read, open_at])
@pytest.mark.parametrize("damage", [lambda b: b[:20] + b"?" + b[21:], lambda b: b"garbage\n" + b])
def test_a_damaged_journal_is_rejected_and_unchanged(
    path: Path, use: Callable[[Path], State], damage: Callable[[bytes], bytes]
) -> None:
    journal = path.with_name(path.name + ".journal")
    path.write_bytes(GOOD)
    with Session.open(LocalState(path), Claim(BACKEND, "x")) as session:
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
    assert told.code is Code.JOURNAL_DAMAGED
    assert tree(path.parent) == before


@pytest.mark.parametrize("use", [read, open_at])
def test_a_folder_is_not_a_state(path: Path, use: Callable[[Path], State]) -> None:
    path.mkdir()
    (path / "x").write_text("y")
    before = tree(path.parent)
    with pytest.raises(StateError) as caught:
        use(path)
    (told,) = caught.value.diagnostics
    assert (told.code, told.case) == (Code.STATE_UNREADABLE, "folder")
    assert told.args["inside"] == f"{path}/taskctl.state.json"
    assert tree(path.parent) == before


@pytest.mark.parametrize("suffix", ["", ".journal"])
@pytest.mark.parametrize("use", [read, open_at])
def test_a_pipe_is_rejected_without_reading(
    path: Path, use: Callable[[Path], State], suffix: str
) -> None:
    os.mkfifo(path.with_name(path.name + suffix))
    with pytest.raises(StateError) as caught:
        use(path)
    (told,) = caught.value.diagnostics
    assert (told.code, told.case) == (Code.STATE_UNREADABLE, "special")


@pytest.mark.parametrize("suffix", ["", ".journal"])
@pytest.mark.parametrize("use", [read, open_at])
def test_a_file_that_is_too_large_is_not_read(
    path: Path, use: Callable[[Path], State], suffix: str
) -> None:
    with path.with_name(path.name + suffix).open("wb") as file:
        file.truncate(3 << 30)  # a hole: it takes no space
    with pytest.raises(StateError) as caught:
        use(path)
    (told,) = caught.value.diagnostics
    assert (told.code, told.case) == (Code.STATE_UNREADABLE, "large")


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with raises_with(StateError, "Not a directory"):
        read(tmp_path / "file" / "state.json")
    with raises_with(StateError, "cannot be created"):
        open_at(tmp_path / "file" / "state.json")


@pytest.mark.parametrize("suffix", ["", ".journal"])
@pytest.mark.parametrize("use", [read, open_at])
def test_an_unreadable_file_is_not_treated_as_absent(
    path: Path, use: Callable[[Path], State], suffix: str
) -> None:
    path.write_bytes(GOOD)
    secret = path.with_name(path.name + suffix)
    secret.write_bytes(GOOD)
    secret.chmod(0)
    with (
        modes_apply(),
        raises_with(StateError, "cannot be read: Permission denied") as caught,
    ):
        use(path)
    assert f"ls -l {secret}" in explanation(caught.value.diagnostics[0])
    assert secret.read_bytes() == GOOD if os.geteuid() == 0 else True


def test_a_read_only_folder_can_be_planned_from_but_not_written(path: Path) -> None:
    path.write_bytes(GOOD)
    before = tree(path.parent)
    path.parent.chmod(0o500)
    try:
        with modes_apply():
            assert read(path).serial == 3
            with raises_with(StateError, "cannot be locked: Permission denied") as caught:
                open_at(path)
            with raises_with(StateError, "cannot be created: Permission denied"):
                open_at(path.parent / "new" / "state.json")
    finally:
        path.parent.chmod(0o700)
    assert "taskctl plan" in explanation(caught.value.diagnostics[0])
    assert tree(path.parent) == before


def test_a_folder_that_becomes_read_only_loses_no_entry(path: Path) -> None:
    """An existing journal can still be written; the state file cannot be replaced."""
    path.write_bytes(GOOD)
    happened: list[Event] = [Recorded(record(5)), Recorded(record(6))]
    session = Session.open(LocalState(path), Claim(BACKEND, "x"))
    session.append(happened[0])
    path.parent.chmod(0o500)
    try:
        with modes_apply():
            session.append(happened[1])
            with raises_with(StateError, "cannot be saved: Permission denied") as caught:
                session.close()
    finally:
        path.parent.chmod(0o700)
    assert caught.value.diagnostics[0].code is Code.STATE_NOT_SAVED
    assert path.read_bytes() == GOOD
    assert read(path).records == fold(read(path), happened).records
    assert {record(5).ref, record(6).ref} <= set(open_at(path).records)
    assert not path.with_name(path.name + ".journal").exists()
