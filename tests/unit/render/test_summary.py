"""The budget in every format, whatever the name of the organization contains."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.messages.template import amount
from reconciler.model.budget import MAX_TOKENS, Budget, Outlook
from reconciler.model.value import replace
from reconciler.plan.plan import Plan
from reconciler.render import render
from reconciler.render.plan.summary import budget_lines
from reconciler.render.style import Style
from tests.support.documents import check_document
from tests.support.plan_sample import PLAN

END = datetime(2026, 12, 1, tzinfo=UTC)
LEFT = Outlook(
    Budget("acme", 1_200_000, 2_000_000, exhausted=False, window_end=END, window_kind="trial"),
    END - timedelta(days=7),
)
SHOWN = replace(PLAN, budgets=(LEFT,))
LINE = "Budget: 1.2M of 2.0M tokens used, until 2026-12-01 00:00 UTC"


def several(*names: str) -> Plan:
    found = (replace(LEFT, budget=replace(LEFT.budget, org_name=name)) for name in names)
    return replace(PLAN, budgets=tuple(found))


def test_a_line_before_the_count() -> None:
    rows = render("text", SHOWN, Style(width=200)).splitlines()
    assert rows[-2] == f"{LINE}."
    assert rows[-1].startswith("Plan: ")
    rows = render("text", SHOWN, Style(width=40)).splitlines()
    assert rows[-2] == f"{LINE}."


@pytest.mark.parametrize("name", ["markdown", "html"])
def test_reports_show_the_budget(name: str) -> None:
    shown = render(name, SHOWN, Style())
    assert f"{LINE}." in shown.replace("`", "")


def test_with_several_organizations_each_is_named() -> None:
    shown = render("text", several("acme", "zeta"), Style(width=200))
    assert "Budget of acme: 1.2M" in shown
    assert "Budget of zeta: 1.2M" in shown


def test_the_document_has_the_budget() -> None:
    document = json.loads(render("json", SHOWN, Style()))
    check_document("plan", document)
    (budget,) = document["budget"]["organizations"]
    assert budget == {
        "orgName": "acme",
        "usedTokens": 1_200_000,
        "allowanceTokens": 2_000_000,
        "exhausted": False,
        "windowEnd": "2026-12-01T00:00:00.000Z",
        "windowKind": "trial",
        "readAt": "2026-11-24T00:00:00.000Z",
    }
    assert "budget" not in json.loads(render("json", PLAN, Style()))


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (0, "0"), (999, "999"), (1000, "1.0k"), (1540, "1.5k"), (99_960, "100k"),
        (240_000, "240k"), (999_499, "999k"), (999_600, "1.0M"), (2_000_000, "2.0M"),
        (1_234_000_000, "1.2G"), (MAX_TOKENS, "9,223,372T"),
    ],
)  # fmt: skip
def test_an_amount_has_few_digits(tokens: int, text: str) -> None:
    assert amount(tokens) == text


def test_a_window_without_an_end() -> None:
    endless = replace(LEFT, budget=replace(LEFT.budget, window_end=None))
    assert [*budget_lines([endless])] == ["Budget: 1.2M of 2.0M tokens used."]
