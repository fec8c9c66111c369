"""Templates: one pass, no logic, and anything else in braces is an error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifest.expand.template import Vocabulary, names, substitute
from reconciler.manifest.finding import Finding
from reconciler.model.similarity import SimilaritySearches

KNOWN: dict[str, str | None] = {
    "region": "eu",
    "stack": None,
    "stack.name": "network",
    "stack.owner": "platform",
    "period.name": "2026-11",
}


def faults(text: str, known: dict[str, str | None]) -> list[Finding]:
    return list(Vocabulary({}, known, SimilaritySearches()).errors(text, ()))


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("no braces { } here }}", "no braces { } here }}"),
        ("{{ region }}", "eu"),
        ("{{region}}{{stack.name}}", "eunetwork"),
        ('{{ "{{" }} region }}', "{{ region }}"),
        ("in {{ period.name }}, {{ stack.owner }} pays", "in 2026-11, platform pays"),
    ],
)
def test_templates_are_filled(text: str, filled: str) -> None:
    assert not faults(text, KNOWN)
    assert substitute(text, KNOWN) == filled


@pytest.mark.parametrize(
    ("text", "case", "shown", "near"),
    [
        ("{{ regoin }}", "unknown-similar", "regoin", "region"),
        ("{{ stack.nmae }}", "unknown-similar", "stack.nmae", "stack.name"),
        ("{{ zzz }}", "unknown", "zzz", ""),
        ("{{ stack }}", "mapping-similar", "stack", "stack.name"),
        ("{{ region | upper }}", "malformed", "{{ region | upper }}", ""),
        ("{{ region", "malformed", "{{ region", ""),
        ("{{}}", "malformed", "{{}}", ""),
        ("{{{ region }}}", "malformed", "{{{ region }}}", ""),
        ("{{ {{ region }} }}", "malformed", "{{ {{ region }} }}", ""),
    ],
)
def test_invalid_templates_are_reported(text: str, case: str, shown: str, near: str) -> None:
    (found,) = faults(f"x {text}", KNOWN)
    assert (found.case, found.facts) == (case, {"text": shown, "near": near})


@given(st.text(), st.text())
def test_a_filled_value_is_not_a_template(region: str, around: str) -> None:
    values: dict[str, str | None] = {"region": "{{ region }}" + region}
    around = around.replace("{", "")
    assert substitute(f"{around}{{{{ region }}}}", values) == around + "{{ region }}" + region


@given(st.text())
def test_text_without_double_braces_is_unchanged(text: str) -> None:
    text = text.replace("{{", "{")
    assert substitute(text, {}) == text
    assert not faults(text, {})
    assert not names(text)


@given(st.text(alphabet='{} "ab.', max_size=30))
def test_every_pair_of_braces_is_a_name_an_escape_or_an_error(text: str) -> None:
    if not faults(text, {"a": "A", "b": "B"}):
        assert "{{" not in substitute(text, {"a": "A", "b": "B"}).replace(
            "{{", "", text.count('"{{"')
        )
