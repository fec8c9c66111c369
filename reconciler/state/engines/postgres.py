"""A state in PostgreSQL: one row for the head, one for each blob.

Each call is one statement in autocommit mode, so it works behind a pooler in transaction mode; no
session state (advisory locks, prepared statements) is used.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from reconciler.state.engines import Cause, Denied, Missing, Moved, Pace, Unsure, Version

if TYPE_CHECKING:
    from psycopg import Connection, Cursor

CONNECT_SECONDS = 10
STATEMENT_MILLISECONDS = 30_000

_HEADS = """CREATE TABLE IF NOT EXISTS taskctl_head
    (name text PRIMARY KEY, version bigint NOT NULL, data bytea NOT NULL)"""
_BLOBS = """CREATE TABLE IF NOT EXISTS taskctl_blob
    (state text NOT NULL, name text NOT NULL, data bytea NOT NULL, PRIMARY KEY (state, name))"""

_NEW_HEAD = """INSERT INTO taskctl_head (name, version, data) VALUES (%s, 1, %s)
    ON CONFLICT DO NOTHING RETURNING version"""
_NEXT_HEAD = """UPDATE taskctl_head SET data = %s, version = version + 1
    WHERE name = %s AND version = %s RETURNING version"""
_KEEP = """INSERT INTO taskctl_blob (state, name, data) VALUES (%s, %s, %s)
    ON CONFLICT DO NOTHING RETURNING name"""
_DROP = "DELETE FROM taskctl_blob WHERE state = %s AND name = ANY(%s) RETURNING name"
"""Each returns one row per change."""

_REFUSALS: tuple[tuple[re.Pattern[str], Cause], ...] = (
    (re.compile(r'database ".*" does not exist'), "container"),
    (re.compile(r"password|authentication|pg_hba\.conf|role|permission"), "credentials"),
)
"""libpq's messages for connections that a server refuses permanently. (A server that is starting,
or has too many clients, refuses them temporarily.)"""


class _NoTablesError(Denied):
    """The database exists, but has no tables."""


class PostgresEngine:
    """The Engine of one named state in one database; connects lazily."""

    deletes_with_swap = False

    def __init__(self, conninfo: str, name: str, shown: str) -> None:
        self._conninfo, self._name = conninfo, name
        self.shown = shown
        self.pace = Pace()
        self._connection: Connection[Any] | None = None
        self._guard = Lock()

    def read(self) -> tuple[bytes, Version] | None:
        """None if the tables do not exist, since the database has no state then."""
        try:
            rows = self._run("SELECT data, version FROM taskctl_head WHERE name = %s", self._name)
        except _NoTablesError:
            return None
        return (bytes(rows[0][0]), Version(str(rows[0][1]))) if rows else None

    def swap(self, data: bytes, over: Version | None) -> Version:
        if over is None:
            rows = self._run(_NEW_HEAD, self._name, data)
        else:
            rows = self._run(_NEXT_HEAD, data, self._name, int(over))
        if not rows:
            raise Moved("the head was replaced")
        return Version(str(rows[0][0]))

    def put_blob(self, name: str, data: bytes) -> None:
        self._run(_KEEP, self._name, name, data)

    def get_blob(self, name: str) -> bytes:
        rows = self._run(
            "SELECT data FROM taskctl_blob WHERE state = %s AND name = %s", self._name, name
        )
        if not rows:
            raise Missing(name)
        return bytes(rows[0][0])

    def delete_blobs(self, names: Sequence[str]) -> None:
        self._run(_DROP, self._name, list(names))

    def prepare(self) -> None:
        """Creates the two tables if they do not exist."""
        with self._faults():
            for statement in (_HEADS, _BLOBS):
                self._cursor().execute(statement)

    def close(self) -> None:
        with self._guard:
            if self._connection is not None:
                self._connection.close()

    def probe(self) -> None:
        """Each statement includes its condition."""

    def try_write(self) -> None:
        """Writes in a transaction that is rolled back."""
        name = f"write-test-{secrets.token_hex(8)}"
        with self._guard, self._faults():
            cursor = self._cursor()
            with cursor.connection.transaction(force_rollback=True):
                cursor.execute(_NEW_HEAD, (name, b"1"))
                cursor.execute(_NEXT_HEAD, (b"2", name, 1))
                cursor.execute(_KEEP, (name, name, b"1"))
                cursor.execute(_DROP, (name, [name]))

    def _run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._guard, self._faults():
            return self._cursor().execute(statement, values).fetchall()

    def _cursor(self) -> Cursor[Any]:
        import psycopg

        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._conninfo,
                autocommit=True,
                prepare_threshold=None,
                connect_timeout=CONNECT_SECONDS,
                application_name="taskctl",
                tcp_user_timeout=STATEMENT_MILLISECONDS,
            )
        return self._connection.cursor()

    def _give_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Translates the driver's errors. If the outcome is unknown, the connection is closed, so
        that the next call cannot read a late response."""
        import psycopg
        from psycopg import errors

        try:
            yield
        except errors.UndefinedTable as problem:
            raise _NoTablesError("the tables do not exist", "container") from problem
        except (errors.InsufficientPrivilege, errors.InvalidAuthorizationSpecification) as problem:
            raise Denied(_short(problem), "permission") from problem
        except psycopg.OperationalError as problem:
            was_open = self._connection is not None
            self._give_up()
            for words, cause in () if was_open else _REFUSALS:
                if words.search(str(problem)):
                    raise Denied(_short(problem), cause) from problem
            raise Unsure(_short(problem)) from problem
        except psycopg.Error as problem:
            self._give_up()
            raise Unsure(_short(problem)) from problem


def _short(problem: Exception) -> str:
    """The first line of libpq's message."""
    words = str(problem).partition("\n")[0].removeprefix("connection failed: ").split()
    return " ".join(words)[:200]


def open_engine(address: str, env: Mapping[str, str], folder: Path) -> PostgresEngine:
    """The engine of `postgresql://HOST/DB?state=NAME`. All other parameters are passed to libpq,
    which also reads the PG* variables and .pgpass."""
    del env, folder
    if find_spec("psycopg") is None:
        raise Denied("taskctl[postgres]", "extra")
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    server, _, query = address.partition("?")
    options = parse_qsl(query)
    name = dict(options).get("state", "default")
    rest = urlencode([(key, value) for key, value in options if key != "state"])
    conninfo = f"{server}?{rest}"
    try:
        if "password" in conninfo_to_dict(conninfo):
            raise Denied("it contains a password; use PGPASSWORD or .pgpass", "address")
    except psycopg.ProgrammingError as problem:
        raise Denied(_short(problem), "address") from problem
    return PostgresEngine(conninfo, name, address)
