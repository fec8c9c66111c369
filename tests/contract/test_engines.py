"""One suite for every shared state engine, on real servers (`tests.support.state_engines`)."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest

from reconciler.model import limits
from reconciler.state.engines import (
    BlobRoom,
    Denied,
    Engine,
    Missing,
    Moved,
    Unconditional,
    Unsure,
    Version,
    open_engine,
)
from tests.support.git_server import git
from tests.support.http_objects import careless_s3
from tests.support.state_engines import HERE, Served, marked, serving
from tests.support.state_servers import S3_KEYS, program, s3_server

Make = Callable[[], Engine]
"""Each call is another runner's engine of the same state."""

WRITERS = {"git": 6}


@pytest.fixture(scope="module", params=marked(HERE))
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Served]]:
    with serving(request.param, tmp_path_factory.mktemp(request.param)) as server:
        yield request.param, server


@pytest.fixture
def runner(served: tuple[str, Served]) -> Iterator[Make]:
    """Creates engines and closes them. Each test has its own state: in git, every engine downloads
    the blobs of earlier tests, too."""
    state = f"state-{secrets.token_hex(4)}"
    with ExitStack() as stack:

        def make() -> Engine:
            engine = served[1].runner(state).engine()
            stack.callback(engine.close)
            return engine

        yield make


def content(size: int = 20) -> bytes:
    """Different bytes on every call, as the protocol requires."""
    return secrets.token_bytes(size)


def over(engine: Engine) -> Version | None:
    found = engine.read()
    return found[1] if found is not None else None


def test_a_write_is_read_by_another_engine(runner: Make) -> None:
    one, other = runner(), runner()
    data = content()
    version = one.swap(data, over(one))
    assert other.read() == (data, version)
    newer = content()
    assert other.swap(newer, version) != version
    assert one.read() is not None
    assert one.read()[0] == newer  # type: ignore[index]


def test_a_stale_version_is_rejected_and_changes_nothing(runner: Make) -> None:
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


def test_only_one_of_many_writers_wins(served: tuple[str, Served], runner: Make) -> None:
    count = WRITERS.get(served[0], 32)
    first = runner()
    version = first.swap(content(), None)
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


def test_blobs_are_kept_until_they_are_dropped(runner: Make) -> None:
    one = runner()
    name, data = f"base-{secrets.token_hex(4)}", content(100)
    one.put_blob(name, data)
    one.put_blob(name, data)
    one.swap(content(), over(one))
    other = runner()
    other.read()
    assert other.get_blob(name, BlobRoom()) == data
    with pytest.raises(Missing):
        other.get_blob("never-was", BlobRoom())
    other.delete_blobs([name, "never-was"])
    other.swap(content(), over(other))
    third = runner()
    third.read()
    with pytest.raises(Missing):
        third.get_blob(name, BlobRoom())


def test_five_megabytes_are_read_back(runner: Make) -> None:
    one, other = runner(), runner()
    head, blob = content(limits.STATE_HEAD_BYTES), content(5 * 1024 * 1024)
    one.put_blob("large", blob)
    one.swap(head, over(one))
    found = other.read()
    assert found is not None
    assert found[0] == head
    assert other.get_blob("large", BlobRoom()) == blob


def test_a_large_blob_is_stored_and_read(runner: Make) -> None:
    one, other = runner(), runner()
    name, data = f"base-{secrets.token_hex(4)}", content(9 << 20)
    one.put_blob(name, data)
    one.put_blob(name, data)
    one.swap(content(), over(one))
    other.read()
    assert other.get_blob(name, BlobRoom()) == data


def test_an_empty_blob_is_not_missing(runner: Make) -> None:
    one, other = runner(), runner()
    one.put_blob("empty", b"")
    one.swap(content(), over(one))
    other.read()
    assert other.get_blob("empty", BlobRoom()) == b""


def test_conditional_writes_are_supported(runner: Make) -> None:
    runner().probe()


# What each engine rejects, on its own server.


def test_git_rejects_unknown_remotes_and_invalid_refs(tmp_path: Path) -> None:
    with serving("git", tmp_path) as server:
        here = server.runner()
    for address in ("git:upstream", "git:https://example.com/x.git", "git:origin#a/../b"):
        with pytest.raises(Denied):
            replace(here, address=address).engine()


def test_git_reports_an_unreachable_remote(tmp_path: Path) -> None:
    with serving("git", tmp_path) as server:
        here = server.runner()
    with closing(here.engine()) as engine, pytest.raises(Unsure):
        engine.read()


@pytest.mark.parametrize("entry", ["040000 tree {tree}", "160000 commit {commit}"])
def test_git_refuses_a_ref_that_holds_something_else(tmp_path: Path, entry: str) -> None:
    """Anyone who may push the ref can write any tree, also with a name that is not UTF-8."""
    with serving("git", tmp_path) as server:
        here, bare = server.runner("x"), server.folder / "team.git"
        facts = {"tree": git(bare, "mktree").strip(), "commit": "1" * 40}

        def push(listing: str) -> None:
            (tmp_path / "listing").write_text(listing)
            with (tmp_path / "listing").open() as given:
                tree = subprocess.check_output(["git", "mktree"], cwd=bare, stdin=given, text=True)
            commit = git(bare, "commit-tree", "-m", "x", tree.strip()).strip()
            git(bare, "update-ref", "refs/taskctl/state/x", commit)

        push(f"{entry.format(**facts)}\thead\n")
        with closing(here.engine()) as engine, pytest.raises(Denied):
            engine.read()
        blob = git(bare, "hash-object", "-w", "--stdin").strip()
        for name in ('"\\377"', "README.md"):
            push(f"100644 blob {blob}\t{name}\n100644 blob {blob}\thead\n")
            with closing(here.engine()) as engine, pytest.raises(Denied):
                engine.read()
        push(f"100644 blob {blob}\thead\n")
        with closing(here.engine()) as engine:
            found = engine.read()
            assert found is not None
            assert found[0] == b""
            engine.swap(b"data", found[1])


def test_git_does_not_change_the_clone(tmp_path: Path) -> None:
    with serving("git", tmp_path) as server, ExitStack() as stack:
        here = server.runner("x")
        before = sorted(str(p.relative_to(here.folder)) for p in here.folder.rglob("*"))
        engine = stack.enter_context(closing(here.engine()))
        assert engine.read() is None
        engine.put_blob("blob", b"1")
        engine.swap(b"data", None)
        other = stack.enter_context(closing(server.runner("x").engine()))
        assert other.read() is not None
        assert sorted(str(p.relative_to(here.folder)) for p in here.folder.rglob("*")) == before


def test_a_closed_engine_keeps_no_connection_open(served: tuple[str, Served]) -> None:
    """Even if something still refers to it, as a traceback does."""
    other = served[1].runner().engine()
    other.swap(content(), over(other))
    before = open_sockets()
    engine = served[1].runner().engine()
    engine.read()
    engine.close()
    while open_sockets() > before:
        time.sleep(0.005)  # both ends close in threads
    other.close()


def open_sockets() -> int:
    """On Linux; 0 elsewhere."""
    found = 0
    for link in Path("/proc/self/fd").glob("*"):
        with suppress(OSError):
            found += str(link.readlink()).startswith("socket:")
    return found


@pytest.mark.tools
def test_a_missing_bucket_is_not_an_empty_state(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in S3_KEYS.items():
        monkeypatch.setenv(key, value)
    with s3_server(program("gofakes3") or "gofakes3") as endpoint:
        engine = open_engine(f"s3://mistyped/x?endpoint={endpoint}", os.environ)
        for call in (engine.read, lambda: engine.swap(content(), None)):
            with pytest.raises(Denied) as caught:
                call()
            assert caught.value.cause == "container"


def test_a_server_that_ignores_conditions_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in S3_KEYS.items():
        monkeypatch.setenv(key, value)
    with careless_s3() as endpoint, pytest.raises(Unconditional):
        open_engine(f"s3://states/x?endpoint={endpoint}", os.environ).probe()


def test_an_endpoint_of_azure_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr("obstore.store.AzureStore", lambda *_, config, **more: asked.append(config))
    for end in ("", "?endpoint=https://blobs.example"):
        open_engine(f"az://team/states/x{end}", os.environ)
    named = {"account_name": "team", "endpoint": "https://blobs.example"}
    assert asked == [{"account_name": "team"}, named]


def test_no_address_with_a_password_is_accepted_or_shown() -> None:
    with pytest.raises(Denied) as caught:
        open_engine("postgresql://me:hunter2@127.0.0.1/db", os.environ)
    assert "hunter2" not in str(caught.value)
