"""Every kind of invalid manifest: exact position and code, also through the command.

With jsonschema-rs and without it, as on platforms without a wheel of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from reconciler.cli.main import run
from reconciler.manifest.loader import load
from tests.support.accelerator import is_there
from tests.support.manifest_cases import CASES, NAMES, expected, lines


@pytest.fixture(autouse=True, params=[True, False], ids=["fast", "plain"])
def _accelerator(request: pytest.FixtureRequest) -> Iterator[None]:
    with is_there(request.param):
        yield


def heads(lines: Iterable[str]) -> set[str]:
    """`FILE:LINE:COL: SEVERITY` of each line that has this form."""
    found = (re.match(r"\S+:\d+:\d+: (?:error|warning|note)(?=: )", line) for line in lines)
    return {head[0] for head in found if head}


def test_the_cases_cover_enough_codes() -> None:
    assert len([name for name in NAMES if not name.startswith("warn-")]) >= 30


def test_positions_and_codes() -> None:
    for name in NAMES:
        assert lines(load([name], root=CASES)) == expected(name)


def test_the_command_reports_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """Except notes, which appear only in plans."""
    for name in NAMES:
        code = run(["-C", str(CASES), "validate", "--color", "never", name])
        said = capsys.readouterr()
        assert code == int(any(": error: " in line for line in expected(name))), name
        problems = [line for line in expected(name) if ": note: " not in line]
        assert heads(problems) <= heads((said.out + said.err).splitlines()), name


def test_all_problems_of_all_files_are_reported_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-C", str(CASES), "validate", "--color", "never", "."]) == 1
    said = capsys.readouterr()
    everything = heads((said.out + said.err).splitlines())
    errors = heads(line for name in NAMES for line in expected(name) if ": error: " in line)
    assert errors <= everything


def test_a_valid_manifest_passes_every_stage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "a.yaml").write_text(
        "version: 1\norgName: acme\ntasks: {a: {message: Look at the drift., planMode: true}}\n"
    )
    assert run(["-C", str(tmp_path), "validate"]) == 0
    assert run(["-C", str(tmp_path), "apply", "--yes", "--backend", "local"]) == 0
    capsys.readouterr()
    assert run(["-C", str(tmp_path), "plan", "--backend", "local"]) == 0
    assert "1 unchanged" in capsys.readouterr().out
