"""Remarks about tasks: every case has a wording, and commands are quoted."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.messages.remarks import word_remarks
from reconciler.model.remarks import Remark
from reconciler.plan.plan import Reason
from tests.support.remark_cases import CATALOG, remarks

PACKAGE = Path(__file__).parents[3] / "reconciler"
MADE = re.compile(r"\b(?:remark|Remark|_of)\(\s*(?:attempt, |latest, )?\"([\w.]+)\"")


def test_every_case_used_in_the_code_has_a_wording() -> None:
    named = {
        case
        for path in PACKAGE.rglob("*.py")
        if "embedded" not in path.relative_to(PACKAGE).parts
        for case in MADE.findall(path.read_text(encoding="utf-8"))
    }
    assert len(named) > 20
    assert named <= CATALOG.keys()


def test_every_problem_of_damaged_data_has_a_wording() -> None:
    """`ShapeError(PATH, CASE)` is the remark `shape.CASE`."""
    named = set()
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        named |= {case for case in MADE.findall(text) if case.startswith("shape.")}
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.Call(ast.Name(id="ShapeError"), [_, ast.Constant(value=str(case))]):
                    named.add(f"shape.{case}")
                case _:
                    pass
    assert named == {case for case in CATALOG if case.startswith("shape.")}


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_wording(reason: Reason) -> None:
    assert word_remarks([Remark(reason.value)]).hints == ()


@given(remarks(st.text(st.characters(exclude_categories=["Cs"]), min_size=1)))
def test_no_fact_becomes_more_than_one_argument_of_a_command(made: Remark) -> None:
    for hint in word_remarks([made]).hints:
        words = shlex.split(" ".join(hint.commands))
        assert words[:1] in ([], ["taskctl"])
        assert not {";", "|", "&&", "$("} & set(words) - {str(f) for f in made.facts.values()}
