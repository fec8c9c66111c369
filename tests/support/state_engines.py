"""Every shared state engine with its real server. A new engine adds one line to `ENGINES`."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, chdir, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest

from reconciler.state.engines import Engine, Pace, open_engine
from reconciler.state.engines.objects import PACES
from tests.support.fault_proxy import Protocol
from tests.support.git_server import git
from tests.support.http_objects import memory_s3
from tests.support.state_servers import (
    AZURE_ACCOUNT,
    AZURE_KEY,
    S3_KEYS,
    azure_server,
    git_remote,
    google_server,
    pooled_server,
    postgres_programs,
    postgres_server,
    program,
    s3_server,
    versity_server,
)


@dataclass(frozen=True)
class Runner:
    """A fresh machine: the folder that commands run in, the address of its state, and its
    additional environment variables."""

    folder: Path
    address: str
    env: Mapping[str, str]

    def engine(self) -> Engine:
        with chdir(self.folder):
            return open_engine(self.address, {**os.environ, **self.env})


@dataclass(frozen=True)
class Served:
    """A running server. `place(state, port, folder)` prepares the folder of a runner (None: any)
    and returns the address of a state. `port` is that of the server or of a proxy."""

    port: int
    protocol: Protocol
    folder: Path
    place: Callable[[str, int, Path], str]
    env: Mapping[str, str] = field(default_factory=dict)

    def runner(self, state: str = "shared", port: int | None = None) -> Runner:
        folder = self.folder / f"runner-{secrets.token_hex(4)}"
        folder.mkdir()
        return Runner(folder, self.place(state, port or self.port, folder), self.env)

    @contextmanager
    def ambient(self) -> Iterator[None]:
        """Sets its credentials in the environment of this process, where libraries find them."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.env.items():
                patch.setenv(name, value)
            yield


Serve = Callable[[Path], AbstractContextManager[Served]]


@contextmanager
def _git(folder: Path) -> Iterator[Served]:
    with git_remote(folder) as remote:
        parts = urlsplit(remote)
        assert parts.port is not None
        clone = folder / "clone"
        git(folder, "clone", "-q", "--depth", "1", remote, str(clone))

        def place(state: str, port: int, runner: Path) -> str:
            """Another clone, copied: cloning takes a dozen processes."""
            shutil.copytree(clone, runner, dirs_exist_ok=True)
            config = runner / ".git/config"
            address = f"http://127.0.0.1:{port}{parts.path}"
            config.write_text(config.read_text().replace(remote, address))
            return f"git:origin#{state}"

        yield Served(parts.port, "http", folder, place)


@contextmanager
def _objects(scheme: str, place: str, endpoint: str, folder: Path) -> Iterator[Served]:
    parts = urlsplit(endpoint)
    assert parts.port is not None

    def address(state: str, port: int, _: Path) -> str:
        return f"{scheme}://{place}/{state}?endpoint=http://127.0.0.1:{port}{parts.path}"

    env = {**S3_KEYS, "AZURE_STORAGE_ACCOUNT_KEY": AZURE_KEY}
    yield Served(parts.port, "http", folder, address, env)


@contextmanager
def _memory(folder: Path) -> Iterator[Served]:
    with memory_s3() as endpoint, _objects("s3", "states", endpoint, folder) as served:
        yield served


@contextmanager
def _s3(folder: Path) -> Iterator[Served]:
    with s3_server(_there("gofakes3")) as endpoint, _objects("s3", "states", endpoint, folder) as s:
        yield s


@contextmanager
def _versity(folder: Path) -> Iterator[Served]:
    with (
        versity_server(_there("versitygw"), folder) as endpoint,
        _objects("s3", "states", endpoint, folder) as served,
    ):
        yield served


@contextmanager
def _google(folder: Path) -> Iterator[Served]:
    """The server takes more than one write per second, so this process does not wait between its
    writes (`machine_process.run_at_once`: nor do others)."""
    with (
        patch.dict(PACES, gs=Pace()),
        google_server(_there("fake-gcs-server")) as endpoint,
        _objects("gs", "states", endpoint, folder) as served,
    ):
        yield served


@contextmanager
def _azure(folder: Path) -> Iterator[Served]:
    with (
        azure_server(_there("azurite-blob"), folder) as endpoint,
        _objects("az", f"{AZURE_ACCOUNT}/states", endpoint, folder) as served,
    ):
        yield served


@contextmanager
def _database(address: str, folder: Path) -> Iterator[Served]:
    parts = urlsplit(address)
    assert parts.port is not None
    with closing(open_engine(address, os.environ)) as engine:
        engine.prepare()

    def place(state: str, port: int, _: Path) -> str:
        return address.replace(f":{parts.port}/", f":{port}/") + f"?state={state}"

    yield Served(parts.port, "postgres", folder, place)


@contextmanager
def _postgres(folder: Path) -> Iterator[Served]:
    programs = postgres_programs()
    assert programs is not None
    with postgres_server(programs) as address, _database(address, folder) as served:
        yield served


@contextmanager
def _pooled(folder: Path) -> Iterator[Served]:
    programs = postgres_programs()
    assert programs is not None
    with (
        pooled_server(_there("pgbouncer"), programs) as address,
        _database(address, folder) as served,
    ):
        yield served


def _there(name: str) -> str:
    found = program(name)
    assert found is not None
    return found


HAS_POSTGRES = postgres_programs() is not None

ENGINES: dict[str, tuple[Serve, bool]] = {
    "memory": (_memory, True),
    "git": (_git, True),
    "s3": (_s3, program("gofakes3") is not None),
    "postgres": (_postgres, HAS_POSTGRES),
    "pgbouncer": (_pooled, HAS_POSTGRES and program("pgbouncer") is not None),
    "versitygw": (_versity, program("versitygw") is not None),
    "google": (_google, program("fake-gcs-server") is not None),
    "azure": (_azure, program("azurite-blob") is not None),
}
"""Each engine's server, and whether this machine can run it (`make test-tools` installs all)."""

HERE = [name for name, (_, runs) in ENGINES.items() if runs]


def marked(names: Iterable[str]) -> list[Any]:
    """As parameters of a test: those that need a server are left to `make test-tools`."""
    there = ("memory", "git")
    return [n if n in there else pytest.param(n, marks=pytest.mark.tools) for n in names]


MAIN = [name for name in ("git", "s3", "postgres") if name in HERE]
"""One server of each driver."""

ENGINE_PARAMS = ["memory", *(pytest.param(name, marks=pytest.mark.soak) for name in MAIN)]
"""For what takes long: the S3 engine with a store in memory and, in `make soak`, `MAIN`."""

SERVERS = [name for name in HERE if name != "memory"]
"""Every server that this machine can run, including the emulators of GCS and Azure."""


@contextmanager
def serving(name: str, folder: Path) -> Iterator[Served]:
    """Runs the server of an engine, with its credentials in the environment."""
    with ENGINES[name][0](folder) as served, served.ambient():
        yield served
