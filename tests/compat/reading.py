"""The data that a version of taskctl must find in the files that another version wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler import __version__
from reconciler.app.plan_file import read_plan_file
from reconciler.manifest.loader import load
from reconciler.messages import word
from reconciler.model.canonical import digest
from reconciler.model.diagnostics import StateError
from tests.support.memory_engine import MemoryEngine, saved_in
from tests.support.state_samples import BACKEND

ROOT = Path(__file__).parents[2]
MANIFEST = "all.tasks.yaml"
STATE = "taskctl.state.json"
PLAN = "all.plan"
SHARED = {
    "": "shared.head",
    f"base-1-1-{'a' * 32}": "shared.base",
    f"1-2-{'b' * 32}": "shared.part",
}
"""The head of a shared state and the blobs that it names, by name."""
JSON = ("--format", "json")


def local_environment(folder: Path) -> dict[str, str]:
    """The embedded service and its one user, whatever the environment of this process names."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("TASKCTL", "PULUMI"))}
    own = {"TASKCTL_BACKEND": "local", "TASKCTL_LOCAL_TOKEN": "compat", "HOME": str(folder)}
    return kept | own | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(folder / ".cache")}


def document(folder: Path, *words: str, code: int = 0) -> dict[str, Any]:
    """The JSON on stdout of a command, which must end with this exit code."""
    ended = subprocess.run(
        [sys.executable, "-m", "reconciler", *words],
        cwd=folder,
        env=local_environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == code, ended.stderr + ended.stdout
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def manifest_facts(folder: Path) -> dict[str, str]:
    """The digest of each task's inputs: with another one, every existing task would differ."""
    found = load([MANIFEST], root=folder)
    assert not found.diagnostics, [word(diagnostic) for diagnostic in found.diagnostics]
    return {str(task.ref): digest(task.inputs) for task in found.tasks}


def state_facts(folder: Path) -> dict[str, Any]:
    """The recorded and the open attempts, in the state and its journal, and what the state knows
    about itself."""
    pulled = document(folder, "state", "pull", "--backend", BACKEND)
    records = {
        ref: {name: record[name] for name in ("taskId", "digest", "reference", "number")}
        for ref, record in pulled["tasks"].items()
    }
    attempts = {number: attempt["task"] for number, attempt in pulled["attempts"].items()}
    return {"recorded": records, "open": attempts, "provenance": pulled["provenance"]}


def shared_facts(folder: Path) -> dict[str, Any]:
    """The recorded and the open attempts, in a shared state of a killed apply."""
    stored = {name: (folder / file).read_bytes() for name, file in SHARED.items()}
    state = saved_in(MemoryEngine(head=stored.pop(""), blobs=stored))
    return {
        "recorded": {str(ref): record.task_id for ref, record in state.records.items()},
        "open": {str(number): str(attempt.ref) for number, attempt in state.attempts.items()},
        "counter": state.provenance.counter,
    }


def plan_facts(folder: Path) -> dict[str, str]:
    """The digests of what the plan does, by key."""
    return dict(read_plan_file(folder / PLAN, PLAN).tasks)


READERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "manifest": manifest_facts,
    "state": state_facts,
    "shared": shared_facts,
    "plan": plan_facts,
}
COMMANDS = {
    "manifest": ("validate", MANIFEST, *JSON),
    "state": ("state", "list", "--backend", BACKEND, *JSON),
    "plan": ("apply", PLAN, "--yes", *JSON),
}


def refusal(folder: Path, kind: str) -> str:
    """The code of the only problem of the command that reads this kind of file."""
    if kind == "shared":
        with pytest.raises(StateError) as refused:
            shared_facts(folder)
        return str(refused.value.diagnostics[0].code)
    (problem,) = document(folder, *COMMANDS[kind], code=1)["diagnostics"]
    return str(problem["code"])


def facts(folder: Path) -> dict[str, Any]:
    return {"version": __version__} | {kind: read(folder) for kind, read in READERS.items()}
