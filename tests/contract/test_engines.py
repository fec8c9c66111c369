"""One suite for every shared state engine, on real servers. A new engine adds one line below."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, chdir, closing, contextmanager
from pathlib import Path
from threading import Barrier

import pytest

from reconciler.state.engines import (
    Denied,
    Engine,
    Missing,
    Moved,
    Unconditional,
    Unsure,
    Version,
    open_engine,
)
from tests.support.http_objects import careless_s3
from tests.support.state_servers import (
    AZURE_ACCOUNT,
    AZURE_KEY,
    S3_KEYS,
    azure_server,
    git_remote,
    pooled_server,
    postgres_programs,
    postgres_server,
    program,
    s3_server,
    versity_server,
)

Runner = Callable[[], Engine]
"""Each call is another runner's engine of the same state."""


def in_clone(folder: Path, address: str) -> Engine:
    """An engine opened with a clone as the working directory."""
    with chdir(folder):
        return open_engine(address, os.environ)


@contextmanager
def _git(folder: Path, name: str) -> Iterator[Runner]:
    with git_remote(folder) as clone:
        yield lambda: in_clone(clone(f"runner-{secrets.token_hex(4)}"), f"git:origin#{name}")


@contextmanager
def _objects(scheme: str, place: str, endpoint: str, name: str) -> Iterator[Runner]:
    keys = {**S3_KEYS, "AZURE_STORAGE_ACCOUNT_KEY": AZURE_KEY}
    env = {**os.environ, **keys}
    with pytest.MonkeyPatch.context() as patch:
        for key, value in keys.items():
            patch.setenv(key, value)
        yield lambda: open_engine(f"{scheme}://{place}/{name}?endpoint={endpoint}", env)


@contextmanager
def _s3(folder: Path, name: str) -> Iterator[Runner]:
    del folder
    with (
        s3_server(there("gofakes3")) as endpoint,
        _objects("s3", "states", endpoint, name) as runner,
    ):
        yield runner


@contextmanager
def _versity(folder: Path, name: str) -> Iterator[Runner]:
    with (
        versity_server(there("versitygw"), folder) as endpoint,
        _objects("s3", "states", endpoint, name) as runner,
    ):
        yield runner


@contextmanager
def _azure(folder: Path, name: str) -> Iterator[Runner]:
    place = f"{AZURE_ACCOUNT}/states"
    with (
        azure_server(there("azurite-blob"), folder) as endpoint,
        _objects("az", place, endpoint, name) as runner,
    ):
        yield runner


@contextmanager
def _database(address: str, name: str) -> Iterator[Runner]:
    with closing(open_engine(address, os.environ)) as engine:
        engine.prepare()
    yield lambda: open_engine(f"{address}?state={name}", os.environ)


@contextmanager
def _postgres(folder: Path, name: str) -> Iterator[Runner]:
    del folder
    programs = postgres_programs()
    assert programs is not None
    with postgres_server(programs) as address, _database(address, name) as runner:
        yield runner


@contextmanager
def _pooled(folder: Path, name: str) -> Iterator[Runner]:
    del folder
    programs = postgres_programs()
    assert programs is not None
    with (
        pooled_server(there("pgbouncer"), programs) as address,
        _database(address, name) as runner,
    ):
        yield runner


def there(name: str) -> str:
    found = program(name)
    assert found is not None
    return found


HAS_POSTGRES = postgres_programs() is not None
ENGINES = {
    "git": (_git, True),
    "s3": (_s3, program("gofakes3") is not None),
    "postgres": (_postgres, HAS_POSTGRES),
    "pgbouncer": (_pooled, HAS_POSTGRES and program("pgbouncer") is not None),
    "versitygw": (_versity, program("versitygw") is not None),
    "azure": (_azure, program("azurite-blob") is not None),
}
"""Each engine's servers, and whether this machine can run them (`make test-tools` installs all)."""

WRITERS = {"git": 6}


@pytest.fixture(scope="module", params=[name for name, (_, runs) in ENGINES.items() if runs])
def servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Runner]]:
    with ExitStack() as stack:
        server = ENGINES[request.param][0]
        folder = tmp_path_factory.mktemp(request.param)
        yield request.param, stack.enter_context(server(folder, "shared"))


@pytest.fixture
def runner(servers: tuple[str, Runner]) -> Iterator[Runner]:
    """Makes runners, and closes them. The suite's tests share one state."""
    with ExitStack() as stack:

        def make() -> Engine:
            engine = servers[1]()
            stack.callback(engine.close)
            return engine

        yield make


def content(size: int = 20) -> bytes:
    """Never the same twice, as the protocol demands."""
    return secrets.token_bytes(size)


def over(engine: Engine) -> Version | None:
    found = engine.read()
    return found[1] if found is not None else None


def test_what_is_written_is_read(runner: Runner) -> None:
    one, other = runner(), runner()
    data = content()
    version = one.swap(data, over(one))
    assert other.read() == (data, version)
    newer = content()
    assert other.swap(newer, version) != version
    assert one.read() is not None
    assert one.read()[0] == newer  # type: ignore[index]


def test_a_stale_version_is_refused_and_changes_nothing(runner: Runner) -> None:
    one, other = runner(), runner()
    stale = one.swap(content(), over(one))
    assert other.read() is not None
    kept = content()
    other.swap(kept, stale)
    with pytest.raises(Moved):
        one.swap(content(), stale)
    with pytest.raises(Moved):
        one.swap(content(), None)
    found = runner().read()
    assert found is not None
    assert found[0] == kept


def test_of_many_writers_one_wins(servers: tuple[str, Runner], runner: Runner) -> None:
    count = WRITERS.get(servers[0], 32)
    first = runner()
    version = over(first)
    engines = [runner() for _ in range(count)]
    for engine in engines:
        engine.read()
    data = [content() for _ in engines]
    start = Barrier(count)

    def write(n: int) -> bytes | None:
        start.wait()
        try:
            engines[n].swap(data[n], version)
        except (Moved, Unsure):
            return None
        return data[n]

    with ThreadPoolExecutor(count) as pool:
        won = [found for found in pool.map(write, range(count)) if found is not None]
    read = first.read()
    assert read is not None
    assert read[0] in data
    assert won in ([read[0]], [])  # the winner's answer may be lost, the losers' never wrong


def test_blobs_are_kept_until_they_are_dropped(runner: Runner) -> None:
    one = runner()
    name, data = f"base-{secrets.token_hex(4)}", content(100)
    one.keep(name, data)
    one.keep(name, data)
    one.swap(content(), over(one))
    other = runner()
    other.read()
    assert other.kept(name) == data
    with pytest.raises(Missing):
        other.kept("never-was")
    other.drop([name, "never-was"])
    other.swap(content(), over(other))
    third = runner()
    third.read()
    with pytest.raises(Missing):
        third.kept(name)


def test_five_megabytes_come_back(runner: Runner) -> None:
    one, other = runner(), runner()
    head, blob = content(5 * 1024 * 1024), content(5 * 1024 * 1024)
    one.keep("large", blob)
    one.swap(head, over(one))
    found = other.read()
    assert found is not None
    assert found[0] == head
    assert other.kept("large") == blob


def test_conditions_count(runner: Runner) -> None:
    runner().probe()


# What each engine refuses, by its own server.


def test_git_refuses_what_is_not_a_remote_or_not_a_ref(tmp_path: Path) -> None:
    with git_remote(tmp_path) as clone:
        folder = clone("one")
        for address in ("git:upstream", "git:https://example.com/x.git", "git:origin#a/../b"):
            with pytest.raises(Denied):
                in_clone(folder, address)


def test_git_says_when_the_remote_is_away(tmp_path: Path) -> None:
    with git_remote(tmp_path) as clone:
        folder = clone("one")
    with closing(in_clone(folder, "git:origin")) as engine, pytest.raises(Unsure):
        engine.read()


def test_git_leaves_the_clone_as_it_is(tmp_path: Path) -> None:
    with git_remote(tmp_path) as clone, ExitStack() as stack:
        folder = clone("one")
        before = sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))
        engine = stack.enter_context(closing(in_clone(folder, "git:origin#x")))
        assert engine.read() is None
        engine.keep("blob", b"1")
        engine.swap(b"data", None)
        other = stack.enter_context(closing(in_clone(clone("two"), "git:origin#x")))
        assert other.read() is not None
        assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*")) == before


@pytest.mark.parametrize("server", [found for found in [program("gofakes3")] if found])
def test_a_missing_bucket_is_not_an_empty_state(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in S3_KEYS.items():
        monkeypatch.setenv(key, value)
    with s3_server(server) as endpoint:
        engine = open_engine(f"s3://mistyped/x?endpoint={endpoint}", os.environ)
        with pytest.raises(Denied):
            engine.swap(content(), None)


def test_a_server_that_ignores_conditions_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in S3_KEYS.items():
        monkeypatch.setenv(key, value)
    with careless_s3() as endpoint, pytest.raises(Unconditional):
        open_engine(f"s3://states/x?endpoint={endpoint}", os.environ).probe()


def test_no_address_with_a_password_is_accepted_or_shown() -> None:
    with pytest.raises(Denied) as caught:
        open_engine("postgresql://me:hunter2@127.0.0.1/db", os.environ)
    assert "hunter2" not in str(caught.value)
