"""`taskctl explain`: one code, all codes, and an unknown code."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.cli.main import run
from reconciler.manifest.loader import load
from reconciler.messages.catalog import codes, examples
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Severity


@pytest.mark.parametrize("given", ["TC201", "tc201"])
def test_one_code_is_explained(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", given]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("TC201: Unknown property\n")
    assert "How to fix it: " in said.out
    assert said.err == ""


def test_all_codes_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain"]) == 0
    shown = [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()]
    assert shown == [code.value for code in codes()]


@pytest.mark.parametrize(
    ("given", "near"), [("TC2011", "TC201"), ("201", "TC201"), ("unknown-property", None)]
)
def test_an_unknown_code_is_an_error(
    given: str, near: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", given]) == 1
    said = capsys.readouterr()
    (first, *_) = said.err.splitlines()
    assert first.endswith("[TC803]")
    assert (near or "mean") in first or near is None
    assert said.out == ""


WITH_EXAMPLES = [code for code in codes() if examples(code)]


def test_the_most_frequent_codes_have_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(WITH_EXAMPLES) == 20
    assert run(["explain", "TC201"]) == 0
    said = capsys.readouterr().out
    assert "\nWrong:\n\n    version: 1\n" in said
    assert "\nRight:\n\n    version: 1\n" in said


@pytest.mark.parametrize("code", WITH_EXAMPLES)
def test_the_wrong_manifest_has_this_problem_and_the_right_one_has_none(
    code: Code, tmp_path: Path
) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/review-costs.md").write_text("Which stacks cost the most?\n")
    wrong, right = examples(code)
    assert found(wrong, tmp_path) == [code]
    assert found(right, tmp_path) == []


def found(manifest: str, folder: Path) -> list[Code]:
    (folder / "a.yaml").write_text(manifest)
    problems = load(["a.yaml"], root=folder).diagnostics
    return [problem.code for problem in problems if problem.severity is not Severity.NOTE]
