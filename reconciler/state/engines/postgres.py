"""A state in PostgreSQL: one row for the head, one for each blob.

Each call is one statement in autocommit mode, so it works behind a pooler in transaction mode; no
session state (advisory locks, prepared statements) is used. A connection verifies the server's
identity, unless the user has disabled it: libpq's own default, `sslmode=prefer`, sends a password
to any server that answers, also in plain text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from reconciler.model import limits
from reconciler.model.hosts import is_loopback
from reconciler.state.engines import (
    BlobRoom,
    Cause,
    Denied,
    Missing,
    Moved,
    Pace,
    Unsure,
    Version,
    check_size,
)

if TYPE_CHECKING:
    from psycopg import Connection, Cursor


_SOCKET = ("/", "@")
_SYSTEM = {"sslmode": "verify-full", "sslrootcert": "system"}
_VARIABLES = ("host", "hostaddr", "service", "sslmode", "sslrootcert")


def with_tls(given: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    """The parameters of a connection: those `given` in an address, and parameters that require a
    verified certificate. The latter are not added for local servers, or if the address, the
    environment or the service file sets `sslmode`. A configured certificate authority is kept."""
    ambient = {name: env.get(f"PG{name.upper()}", "") for name in _VARIABLES}
    ambient = {name: value for name, value in ambient.items() if value}
    service = given.get("service") or ambient.get("service")
    parameters = {**ambient, **(_of_service(service, env) if service else {}), **given}
    hosts = [
        host
        for host in (parameters.get("host") or parameters.get("hostaddr", "")).split(",")
        if host
    ]
    is_local = all(host.startswith(_SOCKET) or is_loopback(host) for host in hosts)
    if "sslmode" in parameters or is_local:
        return dict(given)
    return {**given, **{name: value for name, value in _SYSTEM.items() if name not in parameters}}


def _of_service(service: str, env: Mapping[str, str]) -> dict[str, str]:
    """The settings of a libpq service, from the first service file that contains it."""
    own = Path(env.get("PGSERVICEFILE") or Path(env.get("HOME", "")) / ".pg_service.conf")
    for path in (own, Path(env.get("PGSYSCONFDIR", "/etc/postgresql-common"), "pg_service.conf")):
        text = ""
        with suppress(OSError):
            text = path.read_text("utf-8", "replace")
        _, found, rest = f"\n{text}".partition(f"\n[{service}]")
        if found:
            lines = rest.partition("\n[")[0].splitlines()
            pairs = (line.partition("=") for line in map(str.strip, lines) if line[:1] != "#")
            return {name.strip(): value.strip() for name, sign, value in pairs if sign}
    return {}


CONNECT_SECONDS = 10
STATEMENT_MILLISECONDS = 30_000

_SCHEMA = "CREATE SCHEMA taskctl"
_TABLES = {
    "head": """CREATE TABLE taskctl.head
        (name text PRIMARY KEY, version bigint NOT NULL, data bytea NOT NULL)""",
    "blob": """CREATE TABLE taskctl.blob
        (state text NOT NULL, name text NOT NULL, data bytea NOT NULL,
        PRIMARY KEY (state, name))""",
}
"""One address is one state, whatever the `search_path` and the user's own schemas are, so all names
are qualified."""

_HEAD = """SELECT octet_length(data), CASE WHEN octet_length(data) <= %s THEN data END, version
    FROM taskctl.head WHERE name = %s"""
"""The size, and the data unless it is too large."""

_BLOB_SIZE = "SELECT octet_length(data) FROM taskctl.blob WHERE state = %s AND name = %s"
_BLOB = "SELECT data FROM taskctl.blob WHERE state = %s AND name = %s"

_NEW_HEAD = """INSERT INTO taskctl.head (name, version, data) VALUES (%s, 1, %s)
    ON CONFLICT DO NOTHING RETURNING version"""
_NEXT_HEAD = """UPDATE taskctl.head SET data = %s, version = version + 1
    WHERE name = %s AND version = %s RETURNING version"""
_KEEP = """INSERT INTO taskctl.blob (state, name, data) VALUES (%s, %s, %s)
    ON CONFLICT DO NOTHING RETURNING name"""
_DROP = "DELETE FROM taskctl.blob WHERE state = %s AND name = ANY(%s) RETURNING name"
"""These statements return a row for each row that they change, so that the engine can tell whether
they had an effect."""

_REFUSALS: tuple[tuple[re.Pattern[str], Cause], ...] = (
    (re.compile(r'database ".*" does not exist'), "container"),
    (re.compile(r"SSL|certificate"), "tls"),
    (re.compile(r"password|authentication|pg_hba\.conf|role|permission"), "credentials"),
)
"""libpq's messages for connections that a server rejects permanently. (A server that is starting,
or has too many clients, rejects them temporarily.)"""


class _NoTablesError(Denied):
    """The database exists, but has no tables."""


class PostgresEngine:
    """The Engine of one named state in one database; connects lazily."""

    deletes_with_swap = False
    about = ""

    def __init__(self, conninfo: str, name: str, display_name: str) -> None:
        self._conninfo, self._name = conninfo, name
        self.display_name = display_name
        self.pace = Pace()
        self._connection: Connection[Any] | None = None
        self._guard = Lock()

    def read(self) -> tuple[bytes, Version] | None:
        """Returns None if the tables do not exist, because the database then has no state."""
        try:
            rows = self._run(_HEAD, limits.STATE_HEAD_BYTES, self._name)
        except _NoTablesError:
            return None
        for size, data, version in rows:
            check_size("head", size, limits.STATE_HEAD_BYTES)
            return bytes(data), Version(str(version))
        return None

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

    def get_blob(self, name: str, room: BlobRoom) -> bytes:
        for (size,) in self._run(_BLOB_SIZE, self._name, name):
            check_size(name, size, limits.STATE_PART_BYTES)
            room.take(name, size)
        for (data,) in self._run(_BLOB, self._name, name):
            return bytes(data)
        raise Missing(name)

    def delete_blobs(self, names: Sequence[str]) -> None:
        self._run(_DROP, self._name, list(names))

    def prepare(self) -> None:
        """Creates the schema and the two tables, unless they exist. Checks that first, because `IF
        NOT EXISTS` also requires the privilege to create them."""
        if not self._exists("to_regnamespace", "taskctl"):
            self._create(_SCHEMA, "CREATE on the database, for the schema taskctl")
        for name, statement in _TABLES.items():
            if not self._exists("to_regclass", f"taskctl.{name}"):
                self._create(statement, "CREATE on the schema taskctl")

    def _exists(self, function: str, name: str) -> bool:
        return self._run(f"SELECT {function}(%s) IS NOT NULL", name)[0][0] is True

    def _create(self, statement: str, privilege: str) -> None:
        """Creates a schema or a table, unless another process has just created it."""
        from psycopg import errors

        with self._guard, self._faults(privilege):
            try:
                self._cursor().execute(statement)
            except (errors.DuplicateSchema, errors.DuplicateTable, errors.UniqueViolation):
                return

    def close(self) -> None:
        with self._guard:
            if self._connection is not None:
                self._connection.close()

    def probe(self) -> None:
        """No probe is needed: each statement includes its condition."""

    def others(self) -> Sequence[str]:
        """Returns none: this engine does not list names."""
        return ()

    def _run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._guard, self._faults():
            return self._cursor().execute(statement, values, binary=True).fetchall()

    def _cursor(self) -> Cursor[Any]:
        import psycopg

        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._conninfo,
                autocommit=True,
                prepare_threshold=None,
                connect_timeout=CONNECT_SECONDS,
                application_name="taskctl",
                client_encoding="utf8",  # a name may contain any character
                tcp_user_timeout=STATEMENT_MILLISECONDS,
            )
        return self._connection.cursor()

    def _give_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @contextmanager
    def _faults(self, privilege: str = "") -> Iterator[None]:
        """Translates the driver's errors. `privilege` is the privilege that a statement needs, for
        the message. If the outcome is unknown, the connection is closed, so that the next call
        cannot read a late response."""
        import psycopg
        from psycopg import errors

        try:
            yield
        except (errors.UndefinedTable, errors.InvalidSchemaName) as problem:
            raise _NoTablesError("the tables do not exist", "container") from problem
        except (errors.InsufficientPrivilege, errors.InvalidAuthorizationSpecification) as problem:
            needs = f"; it needs {privilege}" if privilege else ""
            raise Denied(f"{_short(problem)}{needs}", "permission") from problem
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
    del folder
    if find_spec("psycopg") is None:
        raise Denied("taskctl[postgresql]", "extra")
    import psycopg
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    server, _, query = address.partition("?")
    options = parse_qsl(query)
    name = dict(options).get("state", "default")
    rest = urlencode([(key, value) for key, value in options if key != "state"])
    conninfo = f"{server}?{rest}"
    try:
        given = conninfo_to_dict(conninfo)
        if "password" in given:
            raise Denied("it contains a password; use PGPASSWORD or .pgpass", "address")
        settings = with_tls({name: str(value) for name, value in given.items()}, env)
    except psycopg.ProgrammingError as problem:
        raise Denied(_short(problem), "address") from problem
    return PostgresEngine(make_conninfo("", **settings), name, address)
