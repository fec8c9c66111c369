"""Shared states on real servers, as a CI runner uses them: a folder and an environment."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.called import call
from tests.support.forked import Forked, start
from tests.support.git_server import git
from tests.support.http_objects import memory_s3
from tests.support.state_servers import (
    S3_KEYS,
    git_remote,
    postgres_programs,
    postgres_server,
    program,
    s3_server,
)

MANIFEST = """\
version: 1
orgName: acme
tasks:
  one:
    message: Do the first thing
  two:
    message: Do the second thing
"""


@dataclass(frozen=True, slots=True)
class Runner:
    """The working directory of one machine."""

    folder: Path
    env: Mapping[str, str]

    def start(self, *words: str, **env: str) -> Forked:
        """A separate process."""
        return start(words, self.folder, {**self.env, **env})

    def run(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """In this process."""
        code, out, said = call(words, self.folder, {**self.env, **env})
        return subprocess.CompletedProcess(words, code, out, said)

    def must(self, *words: str, **env: str) -> str:
        """The output of the command, which must succeed."""
        done = self.run(*words, **env)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout


@dataclass(frozen=True, slots=True)
class SharedPlace:
    """A server for shared states. `address` returns the address of a named state; `fresh` creates a
    folder."""

    kind: str
    address: Callable[[str], str]
    fresh: Callable[[str], Path]
    env: Mapping[str, str] = field(default_factory=dict)

    def runner(self, name: str, state: str, backend: str, **more: str) -> Runner:
        folder = self.fresh(name)
        (folder / "tasks").mkdir(exist_ok=True)
        (folder / "tasks/all.yaml").write_text(MANIFEST)
        own = {"TASKCTL_BACKEND": backend, "TASKCTL_STATE": self.address(state)}
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("TASKCTL_", "PULUMI_"))}
        return Runner(folder, {**kept, **self.env, **own, **more})


@contextmanager
def git_place(folder: Path) -> Iterator[SharedPlace]:
    with git_remote(folder) as remote:

        def clone(name: str) -> Path:
            git(folder, "clone", "-q", "--depth", "1", remote, str(folder / name))
            return folder / name

        yield SharedPlace("git", lambda name: f"git:origin#{name}", clone)


def _folders(folder: Path) -> Callable[[str], Path]:
    def fresh(name: str) -> Path:
        made = folder / name
        made.mkdir()
        return made

    return fresh


@contextmanager
def memory_place(folder: Path) -> Iterator[SharedPlace]:
    with memory_s3() as endpoint:
        yield _s3_place(endpoint, folder)


@contextmanager
def s3_place(folder: Path) -> Iterator[SharedPlace]:
    found = program("gofakes3")
    assert found is not None
    with s3_server(found) as endpoint:
        yield _s3_place(endpoint, folder)


def _s3_place(endpoint: str, folder: Path) -> SharedPlace:
    return SharedPlace(
        "s3", lambda name: f"s3://states/{name}?endpoint={endpoint}", _folders(folder), S3_KEYS
    )


@contextmanager
def postgres_place(folder: Path) -> Iterator[SharedPlace]:
    programs = postgres_programs()
    assert programs is not None
    with postgres_server(programs) as address:
        yield SharedPlace("postgres", lambda name: f"{address}?state={name}", _folders(folder))


PLACES = {
    "memory": memory_place,
    "git": git_place,
    **({"s3": s3_place} if program("gofakes3") else {}),
    **({"postgres": postgres_place} if postgres_programs() else {}),
}
"""Those that this machine can run."""

EACH_PLACE = [
    name if name == "memory" else pytest.param(name, marks=pytest.mark.soak) for name in PLACES
]
"""For tests of commands: the store in memory, and, with `make soak`, all."""
