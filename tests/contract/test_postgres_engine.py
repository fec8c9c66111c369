"""The PostgreSQL engine with several users, and with servers that do not prove their identity."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from reconciler.model import limits
from reconciler.state.engines import BlobRoom, Denied, Engine, Oversized, open_engine
from reconciler.state.engines.postgres import with_tls
from tests.support.state_servers import postgres_programs, postgres_server

pytestmark = pytest.mark.tools


@pytest.fixture
def address() -> Iterator[str]:
    """Of a database without tables, as its owner."""
    programs = postgres_programs()
    assert programs is not None
    with postgres_server(programs) as made:
        yield made


def run_as_owner(address: str, *statements: str) -> None:
    import psycopg

    with psycopg.connect(address, autocommit=True) as owner:
        for statement in statements:
            owner.execute(statement)


def engine_of(address: str, user: str = "taskctl") -> Engine:
    return open_engine(address.replace("taskctl@", f"{user}@"), os.environ)


def test_names_are_found_again_with_any_encoding_of_the_client(address: str) -> None:
    sign = "&" if "?" in address else "?"
    engine = engine_of(f"{address}{sign}state=caf%C3%A9&client_encoding=LATIN1")
    with closing(engine):
        engine.prepare()
        for size in (100, 9 << 20):
            engine.put_blob(f"b-{size}", b"x" * size)
            assert len(engine.get_blob(f"b-{size}", BlobRoom())) == size


def test_one_address_is_one_state_for_users_with_schemas_of_their_own(address: str) -> None:
    run_as_owner(
        address,
        "CREATE ROLE alice LOGIN",
        "CREATE ROLE bob LOGIN",
        "CREATE SCHEMA alice AUTHORIZATION alice",
        "CREATE SCHEMA bob AUTHORIZATION bob",
    )
    with closing(engine_of(address)) as owner:
        owner.prepare()
    run_as_owner(
        address,
        "GRANT USAGE ON SCHEMA taskctl TO alice, bob",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA taskctl TO alice, bob",
    )
    with closing(engine_of(address, "alice")) as alice, closing(engine_of(address, "bob")) as bob:
        for engine in (alice, bob):
            engine.prepare()
        version = alice.swap(b"head", None)
        alice.put_blob("blob", b"data")
        assert bob.read() == (b"head", version)
        assert bob.get_blob("blob", BlobRoom()) == b"data"


def test_the_missing_privilege_is_named(address: str) -> None:
    run_as_owner(address, "CREATE ROLE alice LOGIN")
    with closing(engine_of(address, "alice")) as alice:
        with pytest.raises(Denied, match="CREATE on the database") as refused:
            alice.prepare()
        assert refused.value.cause == "permission"
        run_as_owner(address, "CREATE SCHEMA taskctl", "GRANT USAGE ON SCHEMA taskctl TO alice")
        with pytest.raises(Denied, match="CREATE on the schema taskctl"):
            alice.prepare()
        with closing(engine_of(address)) as owner:
            owner.prepare()
        with pytest.raises(Denied, match="permission denied for table head"):
            alice.read()
        run_as_owner(address, "REVOKE USAGE ON SCHEMA taskctl FROM alice")
        with pytest.raises(Denied, match="permission denied for schema taskctl"):
            alice.read()


def test_a_database_without_the_schema_has_no_state(address: str) -> None:
    with closing(engine_of(address)) as engine:
        assert engine.read() is None


def test_an_oversized_head_or_blob_is_not_read(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STATE_PART_BYTES", 8 << 20)
    with closing(engine_of(address)) as engine:
        engine.prepare()
        run_as_owner(
            address,
            "INSERT INTO taskctl.head SELECT 'default', 1, decode(repeat('00', 4194305), 'hex')",
            "INSERT INTO taskctl.blob SELECT 'default', 'large', "
            "decode(repeat('00', 8388609), 'hex')",
        )
        with pytest.raises(Oversized, match="at most 4194304"):
            engine.read()
        with pytest.raises(Oversized, match="at most 8388608"):
            engine.get_blob("large", BlobRoom())


def test_a_server_that_cannot_prove_its_identity_gets_no_password(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name is not that of this machine, and it has no TLS."""
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    remote = address.replace("127.0.0.1", "db.example.com") + "?hostaddr=127.0.0.1"
    with closing(open_engine(remote, os.environ)) as engine:
        with pytest.raises(Denied) as refused:
            engine.read()
        assert refused.value.cause == "tls"
    monkeypatch.setenv("PGSSLMODE", "prefer")
    with closing(open_engine(remote, os.environ)) as engine:
        assert engine.read() is None


SYSTEM = {"sslmode": "verify-full", "sslrootcert": "system"}
HOST = {"host": "db.example.com"}


@pytest.mark.parametrize(
    ("given", "env", "added"),
    [
        (HOST, {}, SYSTEM),
        ({}, {"PGHOST": "db.example.com"}, SYSTEM),
        ({"host": "localhost,db.example.com"}, {}, SYSTEM),
        (HOST | {"sslrootcert": "ca.pem"}, {}, {"sslmode": "verify-full"}),
        (HOST, {"PGSSLROOTCERT": "ca.pem"}, {"sslmode": "verify-full"}),
        (HOST | {"sslmode": "require"}, {}, {}),
        (HOST, {"PGSSLMODE": "require"}, {}),
        ({}, {}, {}),
        ({"host": "/run/postgresql"}, {}, {}),
        ({"host": "localhost"}, {}, {}),
        ({"host": "127.0.0.1,::1"}, {}, {}),
        ({"hostaddr": "127.0.0.1"}, {}, {}),
        ({"service": "away"}, {}, SYSTEM),
        ({"service": "decided"}, {}, {}),
        ({}, {"PGSERVICE": "decided"}, {}),
        ({"service": "here"}, {"PGHOST": "db.example.com"}, {}),
        ({"service": "unknown"} | HOST, {}, SYSTEM),
    ],
)
def test_tls_is_required_unless_somebody_has_decided(
    tmp_path: Path, given: Mapping[str, str], env: Mapping[str, str], added: dict[str, Any]
) -> None:
    services = tmp_path / "services"
    services.write_text(
        "[away]\nhost=db.example.com\n# sslmode=disable\n"
        "[decided]\nhost = db.example.com\nsslmode = require\n[here]\nhost=localhost\n"
    )
    assert with_tls(given, {"PGSERVICEFILE": str(services), **env}) == {**given, **added}
