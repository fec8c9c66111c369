"""The plan document is valid by its schema; a saved plan is read back unchanged, or rejected."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.messages.commands import AS_WRITTEN
from reconciler.model.canonical import ABSENT
from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError
from reconciler.model.options import PlanOptions
from reconciler.model.remarks import Remark
from reconciler.model.service import Identity
from reconciler.model.task import TaskRef
from reconciler.model.typed_json import decode_as, encode_json, with_checksum
from reconciler.model.value import replace
from reconciler.plan.codec import (
    as_saved,
    encode_saved_plan,
    is_saved_plan,
    read_saved_plan,
)
from reconciler.plan.digest import plan_digest, refuse_stale, refuse_unexpected
from reconciler.plan.plan import Action, Change, Origin, Plan, PlannedTask, Reason
from reconciler.render import FORMATS, render, view_of
from reconciler.render.document import dump
from reconciler.render.style import Style
from tests.support import plan_strategies as some
from tests.support.diagnostics import damage_of
from tests.support.documents import check_document

IDENTITY = Identity("user-1", login="ada")
PLAN = Plan(
    backend="https://api.pulumi.com",
    scope=("tasks",),
    identity=IDENTITY,
    tasks=(
        PlannedTask(
            TaskRef("acme", "rotate"),
            Action.CHANGED,
            Reason.CHANGED,
            "tasks/iam.yaml",
            7,
            "id-1",
            diff=(Change("role", ABSENT, None, Origin.MANIFEST),),
        ),
    ),
)


@given(some.plans())
def test_every_plan_document_is_valid(plan: Plan) -> None:
    document = json.loads(dump(view_of(plan).document(AS_WRITTEN)))
    assert next(iter(document)) == "formatVersion"
    check_document("plan", document)
    assert [task["key"] for task in document["tasks"]] == [task.ref.key for task in plan.tasks]


def test_the_plan_document_has_the_documented_form() -> None:
    task = PlannedTask(
        TaskRef("acme", "rotate-iam-keys"), Action.CREATE, Reason.NEW, "tasks/iam.yaml", 7
    )
    plan = replace(PLAN, tasks=(task,))
    assert json.loads(dump(view_of(plan).document(AS_WRITTEN))) == {
        "formatVersion": 1,
        "backend": "https://api.pulumi.com",
        "organizations": ["acme"],
        "identity": {"id": "user-1", "login": "ada"},
        "scope": ["tasks"],
        "complete": True,
        "hasChanges": True,
        "applyWillFail": False,
        "failReasons": [],
        "digest": plan_digest(plan),
        "diagnostics": [],
        "summary": {
            "create": 1,
            "replace": 0,
            "adopt": 0,
            "move": 0,
            "update": 0,
            "changed": 0,
            "gone": 0,
            "forget": 0,
            "orphaned": 0,
            "held": 0,
            "unchanged": 0,
            "unresolved": 0,
        },
        "tasks": [
            {
                "key": "rotate-iam-keys",
                "orgName": "acme",
                "action": "create",
                "reason": "new",
                "taskId": None,
                "file": "tasks/iam.yaml",
                "line": 7,
                "diff": [],
            }
        ],
    }


def test_an_absent_side_is_left_out_and_null_is_not() -> None:
    (task,) = view_of(PLAN).document(AS_WRITTEN)["tasks"]
    assert task["diff"] == [{"path": "role", "after": None, "origin": "manifest", "inPlace": True}]


@given(some.plans())
def test_a_saved_plan_is_shown_as_it_was_made(plan: Plan) -> None:
    if "\\ud800" in ascii(plan):  # UTF-8 cannot encode it
        return
    plan = decode_as(Plan, encode_json(plan))  # members are sorted
    data, shown = encode_saved_plan(plan), as_saved(plan)
    assert is_saved_plan(data)
    back = read_saved_plan(data, "plan")
    assert encode_saved_plan(back) == data
    assert replace(back, tasks=()) == replace(shown, tasks=())
    for name in FORMATS:
        assert render(name, back, Style()) == render(name, shown, Style())
    refuse_stale(plan, back, "plan")
    refuse_unexpected(back, plan_digest(plan))


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values in a JSON value."""
    inside: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        inside = enumerate(value)
    return [path, *(place for name, part in inside for place in _places(part, (*path, name)))]


_REMOVED = object()


def _changed(whole: Any, path: tuple[Any, ...], new: object) -> None:
    *above, name = path
    for step in above:
        whole = whole[step]
    if new is _REMOVED:
        del whole[name]
    else:
        whole[name] = new


@given(some.plans(), st.data())
def test_a_changed_plan_is_damaged_or_stale_or_shows_the_same(
    plan: Plan, data: st.DataObject
) -> None:
    """`plan` is what apply would do now."""
    saved = encode_saved_plan(plan)
    back, whole = read_saved_plan(saved, "plan"), json.loads(saved)
    refuse_stale(plan, back, "plan")
    del whole["checksum"]
    places = _places(whole["plan"])[1:]
    new = st.sampled_from(["", "x", "create", 0, 7, True, False, None, [], {}, _REMOVED])
    _changed(whole["plan"], data.draw(st.sampled_from(places)), data.draw(new))
    try:
        forged = read_saved_plan(with_checksum(json.dumps(whole).encode()), "plan")
    except TaskctlError:
        return
    with suppress(TaskctlError):
        refuse_stale(plan, forged, "plan")
        for name in FORMATS:
            for style in (Style(), Style(verbose=True)):
                assert render(name, forged, style) == render(name, back, style)


def test_absent_is_read_back_as_the_singleton() -> None:
    (task,) = read_saved_plan(encode_saved_plan(PLAN), "plan").tasks
    assert task.diff[0].before is ABSENT


@given(some.plan_options)
def test_a_saved_plan_keeps_its_options(options: PlanOptions) -> None:
    plan = replace(PLAN, options=options)
    assert read_saved_plan(encode_saved_plan(plan), "plan").options == options


def edited(change: Callable[[dict[str, Any]], object]) -> bytes:
    whole = json.loads(encode_saved_plan(PLAN))
    change(whole)
    return json.dumps(whole).encode()


GOOD = encode_saved_plan(PLAN)
NOT_ONE, DAMAGED = Code.NOT_A_SAVED_PLAN, Code.SAVED_PLAN_DAMAGED
BAD = {
    "empty": (b" \n", DAMAGED, "empty"),
    "not UTF-8": (GOOD.replace(b"tasks", b"t\xffsks"), DAMAGED, "checksum"),
    "cut short": (GOOD[: len(GOOD) // 2], DAMAGED, "truncated"),
    "not JSON": (b'{"formatVersion": 1, nonsense}', DAMAGED, "json"),
    "a manifest": (b"version: 1\ntasks: {}\n", NOT_ONE, ""),
    "a manifest in JSON": (b'{"version": 1, "tasks": {}}', NOT_ONE, "manifest"),
    "a state": (b'{"lineage": "x", "tasks": {}}', NOT_ONE, "state"),
    "a list": (b"[1]", NOT_ONE, ""),
    "deep": (b"[" * 200_000, NOT_ONE, ""),
    "a plan document": (dump(view_of(PLAN).document(AS_WRITTEN)).encode(), NOT_ONE, "document"),
    "an apply document": (b'{"formatVersion": 1, "tasks": []}', NOT_ONE, "document"),
    "another kind": (edited(lambda w: w.update(kind="x")), NOT_ONE, "kind"),
    "newer": (edited(lambda w: w.update(formatVersion=9, new=1)), Code.SAVED_PLAN_VERSION, ""),
    "older": (edited(lambda w: w.update(formatVersion=1)), Code.SAVED_PLAN_VERSION, "older"),
    "no version": (edited(lambda w: w.update(formatVersion=True)), DAMAGED, ""),
    "a part missing": (
        with_checksum(edited(lambda w: (w.pop("checksum"), w.pop("plan")))),
        DAMAGED,
        "",
    ),
    "a part too many": (edited(lambda w: w.update(x=1)), DAMAGED, "checksum"),
    "a part twice": (GOOD.replace(b' "kind"', b' "kind": "x",\n "kind"'), DAMAGED, "checksum"),
    "edited": (edited(lambda w: w["plan"].update(backend="b")), DAMAGED, "checksum"),
}


@pytest.mark.parametrize("name", BAD)
def test_each_kind_of_invalid_file_has_its_own_code(name: str) -> None:
    data, code, case = BAD[name]
    with pytest.raises(TaskctlError) as refused:
        read_saved_plan(data, "p.taskctl")
    (problem,) = refused.value.diagnostics
    assert (problem.code, problem.case, problem.file) == (code, case, "p.taskctl")


@pytest.mark.parametrize(
    ("name", "value", "path"),
    [
        ("backend", 1, "backend"),
        ("complete", "yes", "complete"),
        ("tasks", {}, "tasks"),
        ("tasks", [{"ref": ["a"]}], "tasks[0].ref"),
        ("tasks", [{"ref": ["a", "b"], "action": "x"}], "tasks[0].action"),
        ("tasks", [{"ref": ["a", "b"], "action": "gone"}], "tasks[0].reason"),
        ("wrong", 1, "wrong"),
    ],
)
def test_an_invalid_value_is_named_by_its_path(name: str, value: object, path: str) -> None:
    whole = json.loads(GOOD)
    changed = json.dumps({**whole["plan"], name: value}).encode()
    data = rewritten(changed)
    with pytest.raises(TaskctlError) as refused:
        read_saved_plan(data, "p")
    assert path in str(damage_of(refused.value.diagnostics[0])[0])


def rewritten(plan: bytes) -> bytes:
    """A saved plan with this part and a matching checksum."""
    whole = json.loads(GOOD)
    del whole["checksum"]
    whole["plan"] = json.loads(plan)
    return with_checksum(json.dumps(whole).encode())


@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda tail: GOOD[:150] + tail))
def test_any_other_file_is_rejected(data: bytes) -> None:
    with pytest.raises(TaskctlError):
        read_saved_plan(data, "p")


@pytest.mark.parametrize(
    ("beginning", "is_one"),
    [
        (b'{"formatVersion": 1', True),
        (b'\xef\xbb\xbf{\n "formatVersion" : 2', True),
        (b"formatVersion: 1\n", True),
        (b"version: 1\n", False),
        (b'{"version": 1, "formatVersion": 1', False),
        (b"# formatVersion: 1\n", False),
        (b"", False),
    ],
)
def test_a_saved_plan_is_recognized_by_its_first_key(beginning: bytes, *, is_one: bool) -> None:
    assert is_saved_plan(beginning) is is_one


def with_cause(cause: object) -> bytes:
    """A saved plan whose remark has this cause in its JSON."""
    inner = Remark("late", code=Code.UNREACHABLE)
    outer = Remark("unsent", {"ref": "r", "why": inner}, Code.DELIVERY_REJECTED)
    task = replace(PLAN.tasks[0], remarks=(Remark("unsure.unlisted", {"why": (outer,)}),))
    saved = replace(PLAN, tasks=(task,))
    assert read_saved_plan(encode_saved_plan(saved), "plan") == saved
    whole = json.loads(encode_saved_plan(saved))
    facts = whole["plan"]["tasks"][0]["remarks"][0]["facts"]
    late = {"case": "late", "code": "TC701"}
    assert facts["why"] == [{"case": "unsent", "code": "TC735", "facts": {"ref": "r", "why": late}}]
    facts["why"] = cause
    del whole["checksum"]
    return with_checksum(json.dumps(whole).encode())


@pytest.mark.parametrize(
    "cause",
    [
        {},
        {"case": 1},
        {"case": "late", "code": "TC000"},
        {"case": "late", "more": 1},
        {"case": "late", "facts": {"why": {"case": "late", "code": 1}}},
        [{"case": "late", "facts": []}],
        [["late"]],
    ],
)
def test_the_causes_of_problems_are_kept_and_checked(cause: object) -> None:
    with pytest.raises(TaskctlError) as caught:
        read_saved_plan(with_cause(cause), "plan")
    assert [each.code for each in caught.value.diagnostics] == [Code.SAVED_PLAN_DAMAGED]
