"""The plan document is valid by its schema; a saved plan is read back unchanged, or rejected."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.canonical import ABSENT
from reconciler.model.checksum import with_checksum
from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError
from reconciler.model.identity import Identity
from reconciler.model.remarks import Remark
from reconciler.model.task import TaskRef
from reconciler.model.value import replace
from reconciler.plan.codec import (
    Basis,
    SavedPlan,
    basis_of,
    encode_saved_plan,
    is_saved_plan,
    options_json,
    read_saved_plan,
)
from reconciler.plan.digest import plan_digest
from reconciler.plan.options import PlanOptions
from reconciler.plan.plan import Action, Change, Origin, Plan, PlannedTask, Reason
from reconciler.render import view_of
from reconciler.render.document import dump
from reconciler.state.model import State
from tests.support import plan_strategies as some
from tests.support.diagnostics import damage_of
from tests.support.documents import check_document

IDENTITY = Identity("user-1", login="ada")
PLAN = Plan(
    backend="https://api.pulumi.com",
    scope=("tasks",),
    identity=IDENTITY,
    options=options_json(PlanOptions()),
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
OPTIONS = PLAN.options
STATE = State("line", 3, "https://api.pulumi.com")


def basis(**changes: Any) -> Basis:
    return replace(basis_of(PLAN, [], STATE), **changes)


def saved() -> SavedPlan:
    return SavedPlan(PLAN, basis())


@given(some.plans())
def test_every_plan_document_is_valid(plan: Plan) -> None:
    document = view_of(plan).document()
    assert next(iter(document)) == "formatVersion"
    check_document("plan", document)
    assert [task["key"] for task in document["tasks"]] == [task.ref.key for task in plan.tasks]


def test_the_plan_document_has_the_documented_form() -> None:
    task = PlannedTask(
        TaskRef("acme", "rotate-iam-keys"), Action.CREATE, Reason.NEW, "tasks/iam.yaml", 7
    )
    plan = replace(PLAN, tasks=(task,))
    assert view_of(plan).document() == {
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
    (task,) = view_of(PLAN).document()["tasks"]
    assert task["diff"] == [{"path": "role", "after": None, "origin": "manifest", "inPlace": True}]


@given(some.plans(), some.states(), st.lists(some.desired_tasks(), max_size=2))
def test_a_saved_plan_is_read_back_unchanged(plan: Plan, state: State, desired: list[Any]) -> None:
    unique = {task.ref: task for task in desired}.values()
    kept = SavedPlan(plan, basis_of(plan, unique, state))
    data = encode_saved_plan(kept)
    assert is_saved_plan(data)
    back = read_saved_plan(data, "plan")
    if "\\ud800" in ascii(kept):  # UTF-8 cannot encode it
        return
    assert back == kept
    assert encode_saved_plan(back) == data
    assert not [*back.basis.differences(kept.basis)]
    back.refuse_unless(kept.basis, "plan")


def test_absent_is_read_back_as_the_singleton() -> None:
    (task,) = read_saved_plan(encode_saved_plan(saved()), "plan").plan.tasks
    assert task.diff[0].before is ABSENT


@pytest.mark.parametrize(
    ("change", "case", "facts"),
    [
        ({"manifest": "other"}, "manifest", {}),
        ({"serial": 4}, "state", {"then": 3, "now": 4}),
        ({"lineage": "other"}, "state", {"then": 3, "now": 3}),
        ({"state": "other"}, "state", {"then": 3, "now": 3}),
        ({"backend": "local"}, "backend", {"then": "https://api.pulumi.com", "now": "local"}),
        (
            {"identity": Identity("user-2", login="bob")},
            "identity",
            {"then": "ada", "now": "bob"},
        ),
        ({"identity": None}, "identity", {"then": "ada", "now": "unknown"}),
        ({"scope": ()}, "scope", {"then": "tasks", "now": "all"}),
        (
            {"options": {**OPTIONS, "adoptLimit": 5, "maxCreates": 1}},
            "options",
            {"flags": ("--adopt-limit", "--max-creates")},
        ),
    ],
)
def test_a_stale_saved_plan_is_rejected(
    change: dict[str, Any], case: str, facts: dict[str, Any]
) -> None:
    with pytest.raises(TaskctlError) as refused:
        saved().refuse_unless(basis(**change), "p.taskctl")
    (problem,) = refused.value.diagnostics
    assert (problem.code, problem.case) == (Code.SAVED_PLAN_STALE, case)
    assert problem.args == facts
    assert problem.file == "p.taskctl"


def test_each_difference_is_reported() -> None:
    with pytest.raises(TaskctlError) as refused:
        saved().refuse_unless(basis(manifest="other", serial=4, scope=()), "p.taskctl")
    assert [d.case for d in refused.value.diagnostics] == ["manifest", "state", "scope"]


def test_another_login_of_the_same_user_is_not_a_difference() -> None:
    assert not [*basis(identity=replace(IDENTITY, login="ada2")).differences(basis())]


def test_a_missing_state_always_has_the_same_digest() -> None:
    first, second = (basis_of(PLAN, [], State(lineage, 0, "b", is_new=True)) for lineage in "xy")
    assert first == second


@given(some.desired_tasks(), some.inputs)
def test_declared_tasks_count_but_not_their_lines(task: Any, inputs: Any) -> None:
    def made(desired: Any) -> Basis:
        return basis_of(PLAN, [desired], STATE)

    assert made(replace(task, line=task.line + 1, column=1)) == made(task)
    assert (made(replace(task, inputs=inputs)) == made(task)) == (inputs == task.inputs)
    assert made(replace(task, adopt=not task.adopt)) != made(task)


@given(some.states(), some.records())
def test_a_changed_state_is_a_difference(state: State, record: Any) -> None:
    changed = replace(state, records={**state.records, record.ref: record})
    same = state.records.get(record.ref) == record
    assert (basis_of(PLAN, [], state).state
            == basis_of(PLAN, [], changed).state) == same  # fmt: skip


@given(some.plan_options)
def test_a_saved_plan_keeps_its_options(options: PlanOptions) -> None:
    plan = replace(PLAN, options=options_json(options))
    back = read_saved_plan(encode_saved_plan(SavedPlan(plan, basis())), "plan")
    assert back.options(PlanOptions()) == options
    assert back.options(options) == options


def test_an_option_that_differs_from_the_saved_plan_is_rejected() -> None:
    with pytest.raises(TaskctlError) as refused:
        saved().options(PlanOptions(adopt_limit=5))
    (problem,) = refused.value.diagnostics
    assert (problem.case, problem.args["flag"]) == ("option", "--adopt-limit")


def edited(change: Callable[[dict[str, Any]], object]) -> bytes:
    whole = json.loads(encode_saved_plan(saved()))
    change(whole)
    return json.dumps(whole).encode()


GOOD = encode_saved_plan(saved())
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
    "a plan document": (dump(view_of(PLAN).document()).encode(), NOT_ONE, "document"),
    "an apply document": (b'{"formatVersion": 1, "tasks": []}', NOT_ONE, "document"),
    "another kind": (edited(lambda w: w.update(kind="x")), NOT_ONE, "kind"),
    "newer": (edited(lambda w: w.update(formatVersion=2, new=1)), Code.SAVED_PLAN_NEWER, ""),
    "no version": (edited(lambda w: w.update(formatVersion=True)), DAMAGED, ""),
    "a part missing": (
        with_checksum(edited(lambda w: (w.pop("checksum"), w.pop("basis")))),
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
    data = rewritten(json.dumps(whole["basis"]).encode(), changed)
    with pytest.raises(TaskctlError) as refused:
        read_saved_plan(data, "p")
    assert path in str(damage_of(refused.value.diagnostics[0])[0])


def rewritten(basis: bytes, plan: bytes) -> bytes:
    """A saved plan with these parts and a matching checksum."""
    whole = json.loads(GOOD)
    del whole["checksum"]
    whole |= {"basis": json.loads(basis), "plan": json.loads(plan)}
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
    saved = SavedPlan(replace(PLAN, tasks=(task,)), basis())
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
