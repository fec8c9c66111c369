"""The tables of docs/contributing/exactly-once.md, compared with the rules and with the model."""

from __future__ import annotations

import re
from dataclasses import fields
from itertools import product

from reconciler.model.remarks import remark
from reconciler.plan.recovery import Evidence, Found, NotCreated, Unresolved, Wait, judge
from tests.model.world import Assumed
from tests.support.plan_values import remote
from tests.support.sandbox import ROOT

SPECIFICATION = (ROOT / "docs" / "contributing" / "exactly-once.md").read_text()
PAGE = (ROOT / "docs" / "exactly-once.md").read_text()
WORDS = {"adopt": Found, "wait": Wait, "unresolved": Unresolved, "not created": NotCreated}
MAX_WORDS = 1500


def rows(heading: str) -> list[list[str]]:
    """The rows of the table with this first column."""
    table = re.search(rf"^\| {heading} \|.*\n\|[- |]+\n((?:\|.*\n)+)", SPECIFICATION, re.MULTILINE)
    assert table is not None, heading
    lines = table.group(1).strip().split("\n")
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_assumption_is_a_switch_of_the_model() -> None:
    switches = [row[-1].strip("`") for row in rows("about")]
    assert switches == [field.name for field in fields(Assumed)]


def test_the_table_of_recovery_is_that_of_the_code() -> None:
    """Each lookup, made of one candidate and a list that can be read or not."""
    documented = {
        (row, old): WORDS[cells[1 + old]]
        for row, cells in enumerate(rows("lookup"))
        for old in (False, True)
    }
    for has_mark, may_do_work, readable, listed, old in product((False, True), repeat=5):
        candidate = Evidence(remote("t"), has_mark, may_do_work, readable)
        if readable and has_mark and may_do_work:
            row = 0
        elif not readable or not listed:
            row = 1
        elif has_mark or may_do_work:
            row = 2
        else:
            row = 3
        unlisted = None if listed else remark("attempt.unlisted", why="it is out of order")
        verdict = judge([candidate], unlisted, 0.0 if old else 1.0, None)
        assert type(verdict) is documented[row, old], (candidate, listed, old)


def test_the_page_for_users_can_be_read_in_six_minutes() -> None:
    assert len(PAGE.split()) <= MAX_WORDS
