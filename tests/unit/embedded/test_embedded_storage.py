"""The database file: created, rejected, shared by threads and processes, and durable."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.embedded import storage
from reconciler.embedded.app import App
from reconciler.embedded.storage import APPLICATION_ID, SCHEMA_VERSION, Storage
from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError
from tests.support.diagnostics import summary
from tests.support.embedded_client import Api, message

ROOT = Path(__file__).resolve().parents[3]
POSIX = os.name == "posix"


def insert(connection: sqlite3.Connection, number: int) -> int:
    connection.execute("INSERT INTO events VALUES (0, ?, 0, '', '')", (number,))
    return number


def count(opened: Storage) -> int:
    with opened.reading() as connection:
        return int(connection.execute("SELECT count(*) FROM events").fetchone()[0])


def test_the_database_is_created_with_its_folder_and_private(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "local.db"
    with closing(Storage(path)) as opened:
        opened.write(lambda connection: insert(connection, 1))
        kept = list(path.parent.iterdir())
        assert len(kept) == 3
        if POSIX:
            assert {stat.S_IMODE(file.stat().st_mode) for file in kept} == {0o600}
    assert list(path.parent.iterdir()) == [path]


def test_commits_are_synced_to_the_disk(db: Path) -> None:
    """A commit is synced: FULL (2) with a write-ahead log."""
    with closing(Storage(db)) as opened:
        modes = opened.write(
            lambda connection: [
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("journal_mode", "synchronous")
            ]
        )
    assert modes == ["wal", 2]


def refusal(path: Path) -> str:
    """The case of the diagnostic when opening a file fails."""
    with pytest.raises(TaskctlError) as caught:
        Storage(path)
    (problem,) = caught.value.diagnostics
    assert problem.code is Code.LOCAL_DATABASE
    assert str(path) in summary(problem)
    return problem.case


@pytest.mark.parametrize("content", [b"hello", b"x" * 5000, b"SQLite format 3\0" + b"x" * 4080])
def test_a_file_that_is_not_a_database_is_rejected_and_unchanged(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "local.db"
    path.write_bytes(content)
    assert refusal(path) == "unusable"
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_database_of_another_program_is_rejected_and_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE cookies (name TEXT)")
    before = path.read_bytes()
    assert refusal(path) == "foreign"
    assert path.read_bytes() == before


@pytest.mark.parametrize(("version", "case"), [(SCHEMA_VERSION + 1, "newer"), (1, "older")])
def test_another_schema_version_is_rejected_and_unchanged(
    db: Path, version: int, case: str
) -> None:
    Storage(db).close()
    with closing(sqlite3.connect(db)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    before = db.read_bytes()
    assert refusal(db) == case
    assert db.read_bytes() == before


def test_an_empty_file_is_a_new_database(tmp_path: Path) -> None:
    path = tmp_path / "local.db"
    path.touch()
    Storage(path).close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)


def test_a_folder_or_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "inaccessible"
    (tmp_path / "file").touch()
    assert refusal(tmp_path / "file" / "local.db") == "inaccessible"


def test_a_failed_schema_leaves_an_empty_file(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "SCHEMA", "CREATE TABLE events (n);\nnonsense;\n")
    assert refusal(db) == "unusable"
    monkeypatch.undo()
    with closing(Storage(db)) as opened:
        assert count(opened) == 0


def test_a_failed_write_changes_nothing(db: Path) -> None:
    def failing(connection: sqlite3.Connection) -> int:
        insert(connection, 99)
        raise ValueError("not so")

    with closing(Storage(db)) as opened:
        with pytest.raises(ValueError, match="not so"):
            opened.write(failing)
        opened.write(lambda connection: insert(connection, 1))
        assert count(opened) == 1


def test_an_interrupt_loses_no_write_silently(db: Path) -> None:
    def interrupted(_: sqlite3.Connection) -> None:
        raise KeyboardInterrupt

    with closing(Storage(db)) as opened:
        with pytest.raises(KeyboardInterrupt):
            opened.write(interrupted)
        opened.write(lambda connection: insert(connection, 1))
        assert count(opened) == 1


def test_many_threads_create_every_task_once(app: App) -> None:
    api = Api(app)
    with ThreadPoolExecutor(10) as pool:
        made = list(pool.map(lambda n: api.create(f"Task {n}"), range(200)))
    pages = api.pages(sortBy="created", pageSize=7)
    assert sorted(task["id"] for page in pages for task in page) == sorted(made)
    assert len(set(made)) == 200


_MANY = """
import io, json, sys
from pathlib import Path
from reconciler.embedded.app import App
from tests.support.embedded_client import Api

app = App(Path(sys.argv[1]))
api = Api(app)
for number in range(int(sys.argv[2])):
    print(api.create(f"Task {number}"), flush=True)
app.close()
"""


def test_processes_that_start_together_share_one_file(db: Path) -> None:
    command = [sys.executable, "-c", _MANY, str(db), "40"]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(4)
    ]
    made = [line for process in running for line in process.communicate()[0].split()]
    assert [process.returncode for process in running] == [0] * 4
    assert len(set(made)) == 160
    with closing(App(db)) as app:
        pages = Api(app).pages(sortBy="created", pageSize=50)
        assert sorted(task["id"] for page in pages for task in page) == sorted(made)


def test_threads_can_open_a_new_file_together(db: Path) -> None:
    barrier = threading.Barrier(8)

    def opened(_: int) -> None:
        barrier.wait()
        Storage(db).close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(opened, range(8)))


def test_an_acknowledged_write_survives_a_kill(db: Path) -> None:
    command = [sys.executable, "-c", _MANY, str(db), "100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        answered = [process.stdout.readline().strip() for _ in range(25)]
        process.kill()
        answered += process.stdout.read().split("\n")[:-1]
    with closing(App(db)) as app:
        api = Api(app)
        there = {task["id"] for page in api.pages(pageSize=1000) for task in page}
        assert set(answered) <= there
        assert api.post(message=message()).status == 201
