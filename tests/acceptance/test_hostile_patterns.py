"""No text makes taskctl search it again and again: each costs about as much as its length.

The texts are small. Where a search goes back over what it has read, its cost grows with the square
or the cube of the length, and each of these takes much longer than allowed.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from time import process_time

import pytest

from reconciler.cli.main import run
from reconciler.render import safe
from reconciler.tasks.results import data_in, first_line

MAX_SECONDS = 8.0
"""CPU time. Each text takes a small part of a second."""


def assert_quick(action: Callable[[], object]) -> None:
    before = process_time()
    action()
    assert process_time() - before < MAX_SECONDS


@pytest.mark.parametrize(
    "answer",
    [
        "~" * 3_000 + "`",
        "```" + " " * 100_000 + "`",
        "```" + "a" * 100_000 + "`",
        "a" + "_" * 100_000 + "b",
        "> " * 50_000 + "x",
        ">" * 100_000 + "```json\n" + ">" * 100_000,
    ],
    ids=["tildes", "spaces", "info", "underscores", "quotes", "quoted fence"],
)
def test_an_answer_is_searched_once(answer: str) -> None:
    assert_quick(lambda: (first_line(answer), data_in(answer)))


@pytest.mark.parametrize("escape", [safe.line, safe.block])
def test_a_line_of_spaces_is_searched_once(escape: Callable[[str], str]) -> None:
    assert_quick(lambda: escape(" " * 100_000 + "a::b"))


@pytest.mark.parametrize(
    "message",
    [
        "|\n      Say " + "eyJ-" * 60_000,
        "Say " + "# " * 60_000 + "taskctl:",
        "x" + "," * 120_000 + ": y",
    ],
    ids=["token", "comments", "template"],
)
def test_a_manifest_is_searched_once(
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = f"version: 1\norgName: acme\ntasks:\n  a:\n    message: {message}\n"
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "a.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert_quick(lambda: run(["validate"]))
    assert "Traceback" not in capsys.readouterr().err


LETTERS = [chr(code) for code in (*range(0x21, 0x7F), *range(0xC0, 0x100))]


def _texts(kind: str) -> tuple[str, str]:
    """Two prompts that a comparison of lines or words takes long for."""
    draw = random.Random(1)
    if kind == "lines":
        before, after = ([draw.choice(LETTERS) for _ in range(60_000)] for _ in "ab")
        return "\n".join(before), "\n".join(after)
    if kind == "insertions":
        return (
            "\n".join(f"x{n}" for n in range(20_000)),
            "\n".join(f"x{n}\ny{n}" for n in range(20_000)),
        )
    lines = [[" ".join(draw.choices("ab", k=1_500)) for _ in range(20)] for _ in "ab"]
    return "\n".join(lines[0]), "\n".join(lines[1])


@pytest.mark.parametrize("format_name", ["text", "html", "markdown", "json"])
@pytest.mark.parametrize("kind", ["lines", "insertions", "words"])
def test_prompts_that_are_hard_to_compare(
    kind: str,
    format_name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    codes: list[int] = []
    before, after = _texts(kind)
    (tmp_path / "tasks").mkdir()
    manifest = "version: 1\ntasks:\n  a: {message: {contentFile: prompt.md}}\n"
    (tmp_path / "tasks" / "a.yaml").write_text(manifest)
    (tmp_path / "tasks" / "prompt.md").write_text(before)
    monkeypatch.chdir(tmp_path)
    assert run(["apply", "--yes", "--backend", "local"]) == 0
    (tmp_path / "tasks" / "prompt.md").write_text(after)
    capsys.readouterr()
    assert_quick(lambda: codes.append(run(["plan", "--backend", "local", "--format", format_name])))
    shown = capsys.readouterr().out
    assert (codes, "differs" in shown or '"changed"' in shown) == ([0], True)
