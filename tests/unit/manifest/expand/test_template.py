"""Templates: one pass, no logic, and anything else in braces is an error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifest.expand.template import faults, names, substitute

KNOWN: dict[str, str | None] = {
    "region": "eu",
    "stack": None,
    "stack.name": "network",
    "stack.owner": "platform",
    "period.name": "2026-11",
}


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
def test_what_a_template_becomes(text: str, filled: str) -> None:
    assert not faults(text, KNOWN)
    assert substitute(text, KNOWN) == filled


@pytest.mark.parametrize(
    ("text", "case", "suggestion"),
    [
        ("{{ regoin }}", "unknown", "region"),
        ("{{ stack.nmae }}", "unknown", "stack.name"),
        ("{{ zzz }}", "unknown", ""),
        ("{{ stack }}", "mapping", "stack.name"),
        ("{{ region | upper }}", "malformed", ""),
        ("{{ region", "malformed", ""),
        ("{{}}", "malformed", ""),
        ("{{{ region }}}", "malformed", ""),
        ("{{ {{ region }} }}", "malformed", ""),
    ],
)
def test_what_is_wrong_with_a_template(text: str, case: str, suggestion: str) -> None:
    found = faults(f"x {text}", KNOWN)
    assert (found[0].case, found[0].offset) == (case, 2)
    if case != "mapping":
        assert found[0].suggestion == suggestion


@given(st.text(), st.text())
def test_a_result_is_never_a_template_again(region: str, around: str) -> None:
    values: dict[str, str | None] = {"region": "{{ region }}" + region}
    around = around.replace("{", "")
    assert substitute(f"{around}{{{{ region }}}}", values) == around + "{{ region }}" + region


@given(st.text())
def test_text_without_double_braces_stays(text: str) -> None:
    text = text.replace("{{", "{")
    assert substitute(text, {}) == text
    assert not faults(text, {})
    assert not names(text)


@given(st.text(alphabet='{} "ab.', max_size=30))
def test_every_pair_of_braces_is_a_name_an_escape_or_a_fault(text: str) -> None:
    if not faults(text, {"a": "A", "b": "B"}):
        assert "{{" not in substitute(text, {"a": "A", "b": "B"}).replace(
            "{{", "", text.count('"{{"')
        )
