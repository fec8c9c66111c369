"""The SQLite file of the embedded service, shared by threads and processes.

Several processes may use one file at once (not over NFS: the write-ahead log needs shared memory).
A write is durable when it returns, even after a power loss (`synchronous=FULL`).
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import TypeVar

from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError

SCHEMA_VERSION = 6
APPLICATION_ID = 0x7461736B
"""`task` in the header identifies the file as ours."""

_SUPER_JOURNAL = bytes.fromhex("d9d505f920a163d7")
"""The end of a journal that belongs to a transaction of several databases, which this file never
has: https://www.sqlite.org/fileformat.html#the_rollback_journal."""

_LAST_MS = 253_402_300_799_999  # of the year 9999

BUSY_SECONDS = 30.0
"""The maximum time that a statement waits for a write of another process."""

SCHEMA = """CREATE TABLE tasks (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    org TEXT NOT NULL,
    creator TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    fixed TEXT NOT NULL,
    approval_mode TEXT NOT NULL,
    permission_mode TEXT NOT NULL,
    role TEXT NOT NULL,
    shared INTEGER NOT NULL DEFAULT 0,
    shared_ms INTEGER,
    entities TEXT NOT NULL,
    name TEXT NOT NULL,
    turn INTEGER NOT NULL DEFAULT 0,
    turn_ms INTEGER NOT NULL,
    busy_until INTEGER NOT NULL,
    tokens_before INTEGER NOT NULL DEFAULT 0,
    tokens INTEGER NOT NULL DEFAULT 0,
    approval TEXT NOT NULL DEFAULT ''
);
CREATE INDEX tasks_by_creation ON tasks (org, created_ms);
CREATE TABLE events (
    task INTEGER NOT NULL REFERENCES tasks (seq),
    n INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    id TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (task, n)
);
"""

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]


class Storage:
    """An open database, safe to use from many threads. Call `close` when no thread uses it."""

    def __init__(self, path: Path) -> None:
        """Opens `path`; creates it and its directory if needed. Raises TaskctlError if unusable."""
        self._path = path
        self._writing = Lock()
        self._idle: deque[sqlite3.Connection] = deque()
        self._closed = False
        self._writer = open_database(path)

    def write(self, work: Work[T]) -> T:
        """Runs `work` in a transaction; returns its result once the changes are durable. An
        exception rolls them back."""
        with self._writing:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                result = work(self._writer)
                self._writer.execute("COMMIT")
            finally:
                with suppress(sqlite3.Error):
                    if self._writer.in_transaction:
                        self._writer.execute("ROLLBACK")
        return result

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for reading; no transaction stays open between two statements."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = connect(self._path)
        try:
            yield connection
        finally:
            if self._closed:
                connection.close()
            else:
                self._idle.append(connection)

    def close(self) -> None:
        """Closes all connections. The last process to close moves the log into the file."""
        with self._writing:
            self._closed = True
            while self._idle:
                self._idle.pop().close()
            self._writer.close()


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode. Does not read the file yet."""
    return sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )


def open_database(path: Path) -> sqlite3.Connection:
    """A connection to `path` with the current schema. Raises TaskctlError, and leaves the file
    untouched, if it is not such a database."""
    _prepare(path)
    _check_journal(path)
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        connection = connect(path)
        try:
            _initialize(connection, path)
        except sqlite3.Error as problem:
            connection.close()
            if not is_busy(problem) or time.monotonic() > deadline:
                raise _database_error("unusable", path, problem=str(problem)) from problem
            # SQLite does not wait while another process creates or removes the log.
            time.sleep(0.005)
        except BaseException:
            connection.close()
            raise
        else:
            return connection


def is_busy(problem: sqlite3.Error) -> bool:
    """Whether another process holds the file, so that a retry may succeed."""
    code = getattr(problem, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _database_error(case: str, path: Path, *, problem: str = "", found: int = 0) -> TaskctlError:
    code, supported = Code.LOCAL_DATABASE, SCHEMA_VERSION
    return TaskctlError.of(
        code, case, path=str(path), problem=problem, found=found, supported=supported
    )


def _prepare(path: Path) -> None:
    """Creates the directory and an empty file with mode 0600, because it will contain prompts.
    Rejects pipes and devices, also next to it, which SQLite or `_check_journal` would open."""
    for suffix in ("", "-journal", "-wal", "-shm"):
        file = Path(f"{os.path.realpath(path)}{suffix}")
        with suppress(FileNotFoundError, NotADirectoryError):
            status = file.stat()  # once: another process may remove it
            if not stat.S_ISREG(status.st_mode):
                raise _database_error("inaccessible", path, problem=f"{file} is not a regular file")
            if status.st_size > limits.LOCAL_DATABASE_BYTES:
                raise _database_error("large", path, found=limits.LOCAL_DATABASE_BYTES >> 20)
    try:
        _make_folder(path.parent)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as problem:
        raise _database_error("inaccessible", path, problem=str(problem.strerror)) from problem


def _check_journal(path: Path) -> None:
    """Raises TaskctlError for a journal that refers to another journal: SQLite would remove that
    file, wherever it is."""
    real = os.path.realpath(path)
    try:
        with Path(f"{real}-journal").open("rb") as file:
            file.seek(-len(_SUPER_JOURNAL), os.SEEK_END)
            if file.read() == _SUPER_JOURNAL:
                raise _database_error("foreign", path)
    except OSError:  # it does not exist, or is shorter
        return


def _make_folder(folder: Path) -> None:
    """Creates a directory and its parents; git ignores a directory `.taskctl`. Raises OSError."""
    if folder.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.name == ".taskctl":
        with suppress(OSError):
            (folder / ".gitignore").write_text("*\n", encoding="ascii")


def _initialize(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA synchronous = FULL")
    # The version is read in a transaction, so that all values are of one moment. Two processes may
    # find the file empty at once; the second then finds the schema of the first.
    connection.execute("BEGIN")
    version = _version(connection, path)
    if version == SCHEMA_VERSION:
        if _schema(connection) != set(_statements()):
            raise _database_error("foreign", path)
        if any(_number(connection, statement) for statement in _checks()):
            raise _database_error("values", path)
    connection.execute("COMMIT")
    if version == SCHEMA_VERSION:
        return
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    if _version(connection, path) == 0:
        for statement in _statements():
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """The schema version, 0 for an empty file. Raises TaskctlError for any other database."""
    version = _number(connection, "PRAGMA user_version")
    owner = _number(connection, "PRAGMA application_id")
    if owner != APPLICATION_ID and _number(connection, "SELECT count(*) FROM sqlite_master"):
        raise _database_error("foreign", path)
    if version not in (0, SCHEMA_VERSION):
        case = "newer" if version > SCHEMA_VERSION else "older"
        raise _database_error(case, path, found=version)
    return version


def _statements() -> list[str]:
    """The statements of the schema, as SQLite keeps them in the file."""
    return SCHEMA.split(";\n")[:-1]


def _checks() -> Iterator[str]:
    """Queries that find rows with invalid values: SQLite stores any type in any column. Events,
    which may be very many, are converted when they are read."""
    for statement in _statements():
        name, _, columns = statement.removeprefix("CREATE TABLE ").partition(" (\n")
        if name == "tasks":
            valid = " AND ".join(map(_valid, columns.removesuffix("\n)").split(",\n")))
            yield f"SELECT EXISTS (SELECT 1 FROM {name} WHERE NOT ({valid}))"


def _valid(column: str) -> str:
    """The condition for the values of a column of the schema."""
    name, kind = column.split()[:2]
    valid = f"typeof({name}) = '{kind.lower()}'"
    if kind == "INTEGER":
        most = _LAST_MS if name.endswith(("_ms", "_until")) else (1 << 63) - 1
        valid += f" AND {name} BETWEEN 0 AND {most}"
    nullable = "NULL" not in column and "KEY" not in column
    return f"({name} IS NULL OR {valid})" if nullable else f"({valid})"


def _schema(connection: sqlite3.Connection) -> set[str]:
    """The statements that define the database. A view or a trigger could run forever."""
    found = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {statement for (statement,) in found}


def _number(connection: sqlite3.Connection, statement: str) -> int:
    return int(connection.execute(statement).fetchone()[0])
