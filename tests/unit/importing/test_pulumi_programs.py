"""Any Pulumi program or stack is read completely, and each of its tasks is reported."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.importing.pulumi import TYPE, read_program
from reconciler.manifest.insertion import NewTask, insert
from reconciler.model.diagnostics import has_errors

NAMES = st.sampled_from(
    [
        "orgName",
        "message",
        "content",
        "approvalMode",
        "planMode",
        "fn::x",
        "taskID",
        "id",
        "inputs",
        "properties",
        "options",
        "import",
        "get",
        "name",
        "urn",
        "outputs",
        "delete",
        "entityDiff",
        "timestamp",
        "source",
        "cliIntegrations",
        "4dabf18193072939515e22adb298388d",
    ]
)
WORDS = st.sampled_from(["acme", "auto", "${x}", "$${x}", "x", "", "a::b::c", " ", "cli", TYPE])
ANY = st.recursive(
    st.one_of(WORDS, st.booleans(), st.none(), st.integers(-9, 9)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=10,
)
RESOURCES = st.dictionaries(NAMES, ANY, max_size=6).map(lambda made: {**made, "type": TYPE})


@given(st.dictionaries(st.sampled_from(["a", "B c", "d"]), RESOURCES, max_size=3), ANY)
def test_every_program_is_read(resources: dict[str, Any], other: Any) -> None:
    _told_of_each({"resources": resources, "variables": other}, len(resources))


@given(st.lists(RESOURCES, max_size=3), ANY)
def test_every_stack_export_is_read(resources: list[dict[str, Any]], other: Any) -> None:
    leaving = sum(resource.get("delete") is True for resource in resources)
    deployment = {"resources": resources, "other": other}
    _told_of_each({"deployment": deployment}, len(resources) - leaving)


@given(ANY)
def test_other_input_is_an_error(other: Any) -> None:
    found = read_program(json.dumps([other]).encode(), "x")
    assert has_errors(found.diagnostics)
    assert not found.resources


def _told_of_each(document: dict[str, Any], count: int) -> None:
    """Every task can either be written or has an error with a position in the file."""
    found = read_program(json.dumps(document, indent=1).encode(), "x")
    assert len(found.resources) + len(found.failed) == count
    assert bool(found.failed) is has_errors(found.diagnostics)
    assert all(told.line and told.column for told in found.diagnostics)
    new = [
        NewTask(f"k{n}", r.org_name, {**r.members, **({"taskID": r.task_id} if r.task_id else {})})
        for n, r in enumerate(found.resources)
    ]
    if new:
        assert len(insert(None, "a.yaml", new).tasks) == len(new)
