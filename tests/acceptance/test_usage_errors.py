"""Command lines that cannot be run, and what they show: `usage_errors.txt`.

To write that file anew, after a look at what changed:
`TASKCTL_WRITE_CASES=1 pytest tests/acceptance/test_usage_errors.py`.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from string import Formatter

import pytest

from reconciler.cli.main import run
from reconciler.messages.catalog import entry
from reconciler.model.codes import Code

GOLDEN = Path(__file__).with_name("usage_errors.txt")
LINES = re.findall(r"^\$ (.*)", GOLDEN.read_text(encoding="utf-8"), re.MULTILINE)
ELSEWHERE = {
    "utf8",
    "savedPlanAlone",
    "followOne",
    "logsOfOne",
    "tokenFolder",
    "unusedOrg",
}
"""Cases that need a file, a state or bytes, each with a test of its command."""


def shown_by(line: str, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> str:
    words = shlex.split(line)
    while words[0] != "taskctl":
        name, _, value = words.pop(0).partition("=")
        patch.setenv(name, value)
    assert run(words[1:]) == 1, line
    return f"$ {line}\n{''.join(capture.readouterr())}"


def test_each_usage_error_is_worded_as_expected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    found = []
    for line in LINES:
        with monkeypatch.context() as patch:
            found.append(shown_by(line, patch, capsys))
    if os.environ.get("TASKCTL_WRITE_CASES"):
        GOLDEN.write_text("\n".join(found), encoding="utf-8", newline="\n")
    assert "\n".join(found) == GOLDEN.read_text(encoding="utf-8")


def pattern(template: str) -> str:
    parts = Formatter().parse(template)
    return "".join(re.escape(text) + (".*" if name is not None else "") for text, name, *_ in parts)


def test_each_usage_error_has_a_command_line() -> None:
    text = GOLDEN.read_text(encoding="utf-8")
    cases = entry(Code.USAGE).cases.items()
    absent = {case for case, message in cases if not re.search(pattern(message.summary), text)}
    assert absent == ELSEWHERE
