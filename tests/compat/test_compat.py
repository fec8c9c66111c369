"""Every version reads what earlier ones stored, or clearly rejects it.

`REFUSED` lists what this version rejects, with the code of the diagnostic that says what to do. An
entry there needs one in CHANGELOG.md.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from reconciler import __version__
from tests.compat.__main__ import HERE, write
from tests.compat.reading import JSON, PLAN, READERS, document, refusal

REFUSED: dict[tuple[str, str], str] = {}
"""By version and kind: manifest, state or plan."""

VERSIONS = sorted(path.parent.name for path in HERE.glob("*/expected.json"))


@pytest.fixture(params=VERSIONS)
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of what a version wrote."""
    return Path(shutil.copytree(HERE / request.param, tmp_path / "stored"))


def expected(folder: Path) -> Any:
    return json.loads((folder / "expected.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", READERS)
def test_what_a_version_stored_is_read_or_refused(stored: Path, kind: str) -> None:
    before = {path.name: path.read_bytes() for path in stored.iterdir() if path.is_file()}
    if code := REFUSED.get((expected(stored)["version"], kind)):
        assert refusal(stored, kind) == code
    else:
        assert READERS[kind](stored) == expected(stored)[kind]
    after = {path.name: path.read_bytes() for path in stored.iterdir() if path.is_file()}
    assert {name: after[name] for name in before} == before


def test_the_saved_plan_can_be_applied(stored: Path) -> None:
    if (expected(stored)["version"], "plan") in REFUSED:
        return
    for path in stored.glob("taskctl.state.json*"):
        path.unlink()  # it belongs to another backend
    done = document(stored, "apply", "--yes", PLAN, *JSON)
    created = {f"{task['orgName']}/{task['key']}" for task in done["tasks"]}
    assert created == expected(stored)["plan"].keys()
    assert done["summary"]["created"] == len(created) > 0


def test_this_version_writes_the_same_files_again(tmp_path: Path) -> None:
    """If a change of a format fails this: `python -m tests.compat`, until the version is released.
    Afterwards, the change needs another version."""
    write(tmp_path)
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    there = {path.name: path.read_bytes() for path in (HERE / __version__).iterdir()}
    assert written == there
