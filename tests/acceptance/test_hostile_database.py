"""Anyone can commit `.taskctl/local.db` and the files that SQLite keeps next to it: nothing in them
makes SQLite write or remove anything else, or run for long."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import struct
from contextlib import suppress
from pathlib import Path

import pytest

from reconciler.cli.main import run
from reconciler.embedded.storage import APPLICATION_ID, SCHEMA, SCHEMA_VERSION
from reconciler.model import limits

MANIFEST = {"version": 1, "tasks": {"one": {"message": "do it"}}}
APPLY = ("apply", "--yes", "--backend", "local", "--format", "json")
SUPER_JOURNAL = bytes.fromhex("d9d505f920a163d7")
"""What a journal ends with if it names another one: https://www.sqlite.org/fileformat.html."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    top = tmp_path / "repository"
    (top / ".git").mkdir(parents=True)
    (top / "tasks").mkdir()
    (top / ".taskctl").mkdir()
    (top / "tasks/all.yaml").write_text(json.dumps(MANIFEST))
    monkeypatch.chdir(top)
    return top


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file outside of the repository."""
    path = tmp_path / "victim"
    path.write_text("mine")
    return path


def assert_refused(capsys: pytest.CaptureFixture[str], code: str) -> None:
    assert run([*APPLY]) == 1
    document = json.loads(capsys.readouterr().out)
    assert [problem["code"] for problem in document["diagnostics"]] == [code]


@pytest.mark.reaches("LOCAL_DATABASE_BYTES")
@pytest.mark.parametrize("suffix", ["", "-wal", "-journal"])
def test_a_database_that_is_too_large(
    folder: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    with (folder / f".taskctl/local.db{suffix}").open("wb") as file:
        file.truncate(limits.LOCAL_DATABASE_BYTES + 1)
    assert_refused(capsys, "TC871")


def test_a_journal_that_names_a_file_to_remove(
    folder: Path, victim: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """SQLite rolls an interrupted transaction back, and then removes the journal of which the
    database's own journal is a part, wherever it is."""
    database, journal = folder / ".taskctl/local.db", folder / ".taskctl/local.db-journal"
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("CREATE TABLE pages (data)")
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("BEGIN IMMEDIATE")
    for _ in range(1000):
        connection.execute("INSERT INTO pages VALUES (randomblob(500))")
    interrupted = database.read_bytes(), journal.read_bytes()
    connection.execute("ROLLBACK")
    connection.close()
    name = os.fsencode(victim)
    checksum = sum(struct.unpack(f"{len(name)}b", name)) & 0xFFFFFFFF
    page = struct.pack(">I", (1 << 30) // 4096 + 1)
    database.write_bytes(interrupted[0])
    journal.write_bytes(
        interrupted[1] + page + name + struct.pack(">II", len(name), checksum) + SUPER_JOURNAL
    )
    assert_refused(capsys, "TC871")
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("suffix", ["-journal", "-wal", "-shm"])
def test_a_file_beside_the_database_that_links_out_of_the_repository(
    suffix: str, folder: Path, victim: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / f".taskctl/local.db{suffix}").symlink_to(victim)
    assert_refused(capsys, "TC116")
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("suffix", ["", "-journal", "-wal", "-shm"])
def test_a_pipe_is_not_opened(
    suffix: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(folder / f".taskctl/local.db{suffix}")
    assert_refused(capsys, "TC871")


def test_a_database_elsewhere_in_the_repository(
    folder: Path, victim: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other files are next to the target of a link."""
    (folder / "data").mkdir()
    (folder / ".taskctl/local.db").symlink_to("../data/other.db")
    (folder / "data/other.db-wal").symlink_to(victim)
    assert_refused(capsys, "TC116")
    assert victim.read_text() == "mine"


@pytest.mark.parametrize(
    "statement",
    [
        (
            "CREATE VIEW events AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
            " SELECT i AS task, i AS n, i AS at_ms, i AS id, i AS document FROM n"
        ),
        "CREATE TRIGGER again AFTER INSERT ON tasks BEGIN UPDATE tasks SET name = 'x'; END",
        "CREATE INDEX large ON tasks (zeroblob(1000000000))",
    ],
    ids=["view", "trigger", "index"],
)
def test_a_database_with_a_schema_of_its_own(
    statement: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*APPLY, "--max-creates", "0"]) == 1  # which creates the file
    capsys.readouterr()
    connection = sqlite3.connect(folder / ".taskctl/local.db")
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    if statement.startswith("CREATE VIEW"):
        connection.execute("DROP TABLE events")
    connection.execute(statement)
    connection.commit()
    connection.close()
    assert_refused(capsys, "TC871")


COLUMNS = [
    (table, column)
    for table, columns in re.findall(r"CREATE TABLE (\w+) \((.*?)\n\)", SCHEMA, re.S)
    for column in re.findall(r"^    (\w+) (?:TEXT|INTEGER)", columns, re.M)
]


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_value_of_a_wrong_type_has_a_code(
    table: str, column: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """SQLite stores any value in any column."""
    assert run([*APPLY]) == 0
    database, found = folder / ".taskctl/local.db", set()
    connection = sqlite3.connect(database, isolation_level=None)
    if table == "budget":
        connection.execute("INSERT INTO budget VALUES (1, 1)")
    before = list(connection.iterdump())
    for value in ("'x'", "''", "x'ff'", "1.5", "-1", "9e18", "9223372036854775807", "NULL"):
        with suppress(sqlite3.Error):  # SQLite does not store it
            connection.execute(f"UPDATE {table} SET {column} = {value}")
        capsys.readouterr()
        for words in (("plan", "--format", "json"), ("logs", "one")):
            run([*words, "--backend", "local"])
            printed = "".join(capsys.readouterr())
            assert "TC814" not in printed, (value, printed)
            found.update(re.findall("TC[0-9]+", printed))
        database.unlink()
        connection.close()
        connection = sqlite3.connect(database, isolation_level=None)
        connection.executescript("\n".join(before))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.close()
    if table != "events" and column != "seq":
        assert "TC871" in found
