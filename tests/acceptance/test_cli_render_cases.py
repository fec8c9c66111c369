"""Each directory of `render/` is a case: `case.py` has a report, `expect.txt` its output.

An escape character stands as `\\e` in `expect.txt`. To write those files anew, after a look at
what changed: `TASKCTL_WRITE_CASES=1 pytest tests/acceptance/test_cli_render_cases.py`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from runpy import run_path

import pytest

from reconciler.render import render
from reconciler.render.style import Style
from tests.support.escaping import commands_in, invisible_in

FOLDER = Path(__file__).parent / "render"
CASES = sorted(path.parent.name for path in FOLDER.glob("*/case.py"))


@pytest.mark.parametrize("name", CASES)
def test_a_report_is_shown_as_expected(name: str) -> None:
    case = run_path(str(FOLDER / name / "case.py"))
    form = case.get("FORMAT", "text")
    shown = render(form, case["REPORT"], Style(**case.get("STYLE", {})))
    if form == "json":
        json.loads(shown)
    expected = FOLDER / name / "expect.txt"
    if os.environ.get("TASKCTL_WRITE_CASES"):
        expected.write_text(shown.replace("\x1b", "\\e"), encoding="utf-8", newline="\n")
    assert shown.replace("\x1b", "\\e") == expected.read_text(encoding="utf-8")
    assert invisible_in(shown) <= {"\n", "\x1b"}
    assert commands_in(shown) == []
    assert ("\x1b" in shown) == case.get("STYLE", {}).get("color", False)


def test_every_folder_is_a_case() -> None:
    assert sorted(path.name for path in FOLDER.iterdir() if path.is_dir()) == CASES
