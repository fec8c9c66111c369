"""The kill points themselves: every kind of write is counted, and the process is killed at the
point. Also the processes in which they are: what one leaves behind would fail another test."""

from __future__ import annotations

import os
from multiprocessing import forkserver
from pathlib import Path

import pytest

from tests.support import crash_points
from tests.support.forked import Forked

CALL = "tests.support.crash_sample:touch_everything"


def names(run: crash_points.Run) -> list[str]:
    return [f"{point.phase} {point.operation}" for point in run.points]


def around(*operations: str) -> list[str]:
    return [f"{phase} {name}" for name in operations for phase in _phases(name)]


def _phases(operation: str) -> tuple[str, ...]:
    return ("before", "within", "after") if operation == "write" else ("before", "after")


FILES = around(
    *("mkdir", "create", "write", "fsync", "ftruncate"),
    *("create", "write", "create", "write", "write", "write"),
    *("replace", "rename", "link", "truncate"),
    *("unlink", "unlink", "unlink", "unlink", "rmdir"),
)


def test_exactly_the_writes_are_counted(tmp_path: Path) -> None:
    whole = crash_points.run([str(tmp_path / "x")], call=CALL, files_only=True)
    assert whole.returncode == 0, whole.stderr
    assert names(whole) == FILES
    assert [point.number for point in whole.points] == list(range(len(FILES)))
    assert whole.stdout == "done\n"


@pytest.mark.parametrize("number", [0, 5, 6, len(FILES) - 1])
def test_the_process_dies_at_the_given_point(tmp_path: Path, number: int) -> None:
    ended = crash_points.run([str(tmp_path / "x")], call=CALL, files_only=True, kill_at=number)
    assert ended.killed
    assert names(ended) == FILES[: number + 1]
    assert ended.stdout == ""
    first = tmp_path / "x" / "first"
    if number in (5, 6):
        assert first.read_bytes() == (b"01234" if number == 5 else b"0123456789")


def test_requests_are_counted_once_each() -> None:
    ended = crash_points.run([], call="tests.support.crash_sample:ask", env={"NO_PROXY": "*"})
    assert ended.returncode == 0, ended.stderr
    sends = [point for point in ended.points if point.operation == "send"]
    assert [(point.phase, point.what.split(":")[0]) for point in sends] == [
        ("before", "GET http"),
        ("after", "GET http"),
    ]
    before = crash_points.run([], call="tests.support.crash_sample:ask", kill_at=sends[0].number)
    assert "got it" not in before.stderr
    after = crash_points.run([], call="tests.support.crash_sample:ask", kill_at=sends[1].number)
    assert "got it" in after.stderr
    assert after.stdout == ""


def test_a_point_has_a_readable_form() -> None:
    point = crash_points.Point(3, "write", "within", "x.json")
    assert str(point) == "3: within write x.json"


def pipes() -> set[str]:
    """Linux only; elsewhere, none."""
    links = [path.readlink() for path in Path("/proc/self/fd").glob("*") if path.is_symlink()]
    return {str(link) for link in links if str(link).startswith("pipe:")}


def test_a_process_that_has_ended_has_no_pipe(tmp_path: Path) -> None:
    """Not even while it can be asked how it ended: tests keep it in cycles of objects, which are
    collected much later."""
    Forked(os.getcwd, cwd=tmp_path, env=os.environ).wait()  # starts the server, which has its own
    before = pipes()
    process = Forked(os.getcwd, cwd=tmp_path, env=os.environ)
    own = pipes() - before
    assert process.wait() == 0
    assert not own & pipes()
    assert process.poll() == 0


def test_how_a_process_ended_is_not_made_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If its server is killed, nobody knows its exit code."""

    def nothing(fd: int) -> int:
        raise EOFError

    process = Forked(os.getcwd, cwd=tmp_path, env=os.environ)
    monkeypatch.setattr(forkserver, "read_signed", nothing)
    with pytest.raises(AssertionError, match="fork server"):
        process.wait()
