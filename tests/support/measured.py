"""The CPU time and the memory of a command."""

from __future__ import annotations

import json
import os
import re
import resource
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from reconciler.app import logs
from reconciler.cli.main import run
from reconciler.model import limits
from tests.support.forked import Forked
from tests.support.repository import new_repository, track
from tests.support.sandbox import TOKEN
from tests.support.skipped_time import skipped_time

MAX_SECONDS, MAX_MIB = 30, 250
"""Of CPU time, of which a busy machine needs more. Without limits, it would be hours."""
FEW_SECONDS = 10
"""For a megabyte of any file."""


class Measured(NamedTuple):
    """A finished command: its exit code, the codes of its errors, its CPU time in seconds (also
    that of git), the memory in MiB that it needed beyond that of its imports (not that of git), and
    all that it printed."""

    code: int
    codes: list[str]
    seconds: float
    mib: int
    printed: str

    def assert_refused(self, code: str) -> None:
        assert (self.code, set(self.codes)) == (1, {code})
        assert self.seconds < MAX_SECONDS
        assert self.mib < MAX_MIB


Measure = Callable[..., Measured]
MEASURED = "measured"


@pytest.fixture
def measure(request: pytest.FixtureRequest, tmp_path: Path) -> Measure:
    """Runs commands in an empty repository, which is the test's directory. `lower` replaces
    limits by smaller ones. `bench/limits.py` prints what each command took."""
    new_repository(tmp_path)
    for name in ("tasks", "data"):
        (tmp_path / name).mkdir()

    def measure(*arguments: str, **lower: float) -> Measured:
        env = {**os.environ, "PULUMI_ACCESS_TOKEN": TOKEN, "PULUMI_HOME": str(tmp_path / "home")}
        words = [*arguments, "--format", "json"]
        track(tmp_path)
        with Forked(_measured, words, lower, cwd=tmp_path, env=env) as process:
            out, err = process.communicate()
        assert process.returncode == 0, err
        code, seconds, mib = json.loads(err.splitlines()[-1])
        if out.startswith('{"formatVersion"'):
            found = json.loads(out)["diagnostics"]
            errors = [each["code"] for each in found if each["severity"] == "error"]
        else:  # the lines of `logs`
            errors = re.findall(r"error: .*\[(TC\d+)\]", err)
        measured = Measured(code, errors, seconds, mib, out + err)
        request.node.user_properties.append((MEASURED, (" ".join(arguments[:2]), seconds, mib)))
        return measured

    return measure


def write_tasks(folder: Path, tasks: str, name: str = "a") -> None:
    text = f"version: 1\norgName: acme\ntasks:\n{tasks}"
    (folder / "tasks" / f"{name}.yaml").write_text(text)


def _measured(words: Sequence[str], lower: Mapping[str, float]) -> None:
    for name, value in lower.items():
        assert value < getattr(limits, name)
        setattr(limits, name, value)
    logs.POLL_SECONDS = 0.0
    before = _mib()
    with skipped_time():
        code = run(words)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(each.ru_utime + each.ru_stime for each in used)
    print(json.dumps([code, seconds, _mib() - before]), file=sys.stderr)


def _mib() -> int:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
