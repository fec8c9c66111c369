"""The budget's lines in every format: inert whatever the organization is called."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import jsonschema
import pytest

from reconciler.plan.budget import Basis, Budget, Forecast, Outlook
from reconciler.plan.codec import SavedPlan, basis_of, encode_saved_plan, read_saved_plan
from reconciler.plan.plan import Plan
from reconciler.render import renderer
from reconciler.render.reports import Style
from reconciler.resources import schema_text
from reconciler.state.model import State
from tests.support.plan_sample import PLAN

END = datetime(2026, 12, 1, tzinfo=UTC)
LEFT = Outlook(
    Budget("acme", 1_200_000, 2_000_000, exhausted=False, window_end=END, window_kind="trial"),
    END - timedelta(days=7),
    Forecast(3, 240_000, 12, Basis.ALIKE),
)
SHOWN = replace(PLAN, budgets=(LEFT,))
LINE = (
    "Budget: 1.2M of 2.0M tokens used, until 2026-12-01 00:00 UTC (in 7 days); "
    "3 creates may take about 240k"
)


def several(*names: str) -> Plan:
    found = (replace(LEFT, budget=replace(LEFT.budget, org_name=name)) for name in names)
    return replace(PLAN, budgets=tuple(found))


def test_a_line_before_the_count() -> None:
    rows = renderer("text").render(SHOWN, Style(width=200)).splitlines()
    assert rows[-2] == f"{LINE}."
    assert rows[-1].startswith("Plan: ")
    rows = renderer("text").render(SHOWN, Style(width=200, verbose=True)).splitlines()
    assert rows[-2] == f"{LINE} (the median of 12 recorded tasks with the same settings)."
    rows = renderer("text").render(SHOWN, Style(width=40)).splitlines()
    assert rows[-2] == f"{LINE}."


@pytest.mark.parametrize("name", ["markdown", "html"])
def test_reports_say_what_the_forecast_goes_by(name: str) -> None:
    shown = renderer(name).render(SHOWN, Style())
    assert f"{LINE} (the median of 12" in shown.replace("`", "")


def test_each_organization_is_named_where_there_are_several() -> None:
    shown = renderer("text").render(several("acme", "zeta"), Style(width=200))
    assert "Budget of acme: 1.2M" in shown
    assert "Budget of zeta: 1.2M" in shown


def test_the_document_fits_its_schema_and_a_kept_plan_has_it_still() -> None:
    document = json.loads(renderer("json").render(SHOWN, Style()))
    jsonschema.validate(document, json.loads(schema_text("plan")))
    (budget,) = document["budget"]["organizations"]
    assert budget == {
        "orgName": "acme",
        "usedTokens": 1_200_000,
        "allowanceTokens": 2_000_000,
        "exhausted": False,
        "windowEnd": "2026-12-01T00:00:00.000Z",
        "windowKind": "trial",
        "readAt": "2026-11-24T00:00:00.000Z",
        "forecast": {"creates": 3, "tokens": 240_000, "basis": "sameSettings", "samples": 12},
    }
    kept = SavedPlan(SHOWN, basis_of(SHOWN, [], State("line", 1, SHOWN.backend)))
    assert read_saved_plan(encode_saved_plan(kept), "plan.taskctl").plan.budgets == SHOWN.budgets
    assert "budget" not in json.loads(renderer("json").render(PLAN, Style()))
