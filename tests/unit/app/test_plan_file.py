"""A saved plan is read back as it was written, or rejected."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.app.plan_file import is_plan_file, read_plan_file, write_plan_file
from reconciler.messages.commands import AS_WRITTEN
from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError
from reconciler.model.options import MAX_SETTLE_TIME, MIN_SETTLE_TIME
from reconciler.model.typed_json import encode_json
from reconciler.model.value import replace
from reconciler.plan.digest import SavedPlan, plan_digest, refuse_unexpected
from reconciler.plan.plan import Plan
from reconciler.render import view_of
from reconciler.render.document import dump
from tests.support import plan_strategies as some
from tests.support.diagnostics import damage_of
from tests.support.plan_sample import PLAN

FILE = "p.taskctl"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plans")


def written(folder: Path, plan: Plan = PLAN) -> bytes:
    write_plan_file(folder, FILE, plan)
    return (folder / FILE).read_bytes()


def read(folder: Path, data: bytes) -> SavedPlan:
    (folder / FILE).write_bytes(data)
    return read_plan_file(folder / FILE, FILE)


@given(plan=some.plans())
def test_a_saved_plan_is_what_was_confirmed(folder: Path, plan: Plan) -> None:
    if "\\ud800" in ascii(plan):  # UTF-8 cannot encode it
        return
    settle = min(max(plan.options.settle_time, MIN_SETTLE_TIME), MAX_SETTLE_TIME)
    plan = replace(plan, options=replace(plan.options, settle_time=settle))
    assert read(folder, written(folder, plan)) == SavedPlan.of(plan)
    assert is_plan_file(folder / FILE)


def test_a_saved_plan_has_no_prompts(folder: Path) -> None:
    data = written(folder)
    prompts = [task.desired.inputs["message"]["content"] for task in PLAN.tasks if task.desired]
    assert prompts
    assert not [prompt for prompt in prompts if prompt.encode() in data]


def edited(folder: Path, change: Callable[[dict[str, Any]], object]) -> bytes:
    whole = json.loads(written(folder))
    change(whole)
    return json.dumps(whole).encode()


NOT_ONE, DAMAGED, OTHER = (
    *(Code.NOT_A_SAVED_PLAN, Code.SAVED_PLAN_DAMAGED, Code.SAVED_PLAN_VERSION),
)
BAD: dict[str, tuple[Callable[[Path], bytes], Code]] = {
    "empty": (lambda _: b" \n", DAMAGED),
    "not UTF-8": (lambda at: written(at).replace(b"tasks", b"t\xffsks"), DAMAGED),
    "cut short": (lambda at: written(at)[:-9], DAMAGED),
    "not JSON": (lambda _: b'{"formatVersion": 3, nonsense}', DAMAGED),
    "a list": (lambda _: b"[1]", DAMAGED),
    "deep": (lambda _: b"[" * 200_000, DAMAGED),
    "a plan document": (lambda _: dump(view_of(PLAN).document(AS_WRITTEN)).encode(), NOT_ONE),
    "another kind": (lambda at: edited(at, lambda w: w.update(kind="x")), NOT_ONE),
    "a kind that is no text": (lambda at: edited(at, lambda w: w.update(kind=[])), NOT_ONE),
    "newer": (lambda at: edited(at, lambda w: w.update(formatVersion=9, new=1)), OTHER),
    "older": (lambda at: edited(at, lambda w: w.update(formatVersion=2)), OTHER),
    "no version": (lambda at: edited(at, lambda w: w.update(formatVersion=True)), DAMAGED),
    "a part missing": (lambda at: edited(at, lambda w: w.pop("plan")), DAMAGED),
}


@pytest.mark.parametrize("name", BAD)
def test_each_kind_of_invalid_file_has_its_own_code(folder: Path, name: str) -> None:
    make, code = BAD[name]
    with pytest.raises(TaskctlError) as refused:
        read(folder, make(folder))
    (problem,) = refused.value.diagnostics
    assert (problem.code, problem.file) == (code, FILE)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"backend": 1}, "plan.backend"),
        ({"tasks": []}, "plan.tasks"),
        ({"tasks": {"acme/a": 1}}, "plan.tasks"),
        ({"wrong": 1}, "plan.wrong"),
        ({"options": {"settleTime": "PT0.01S"}}, "plan.options.settleTime"),
        ({"options": {"settleTime": "P367D"}}, "plan.options.settleTime"),
        ({"options": {"maxCreates": "1"}}, "plan.options.maxCreates"),
        ({"options": {"wrong": 1}}, "plan.options.wrong"),
    ],
)
def test_an_invalid_value_is_named_by_its_path(
    folder: Path, change: dict[str, Any], path: str
) -> None:
    with pytest.raises(TaskctlError) as refused:
        read(folder, edited(folder, lambda whole: whole["plan"].update(change)))
    assert path in str(damage_of(refused.value.diagnostics[0])[0])


@given(data=st.binary(max_size=200))
def test_any_other_file_is_rejected(folder: Path, data: bytes) -> None:
    with pytest.raises(TaskctlError):
        read(folder, data)


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
def test_a_saved_plan_is_recognized_by_its_first_key(
    folder: Path, beginning: bytes, *, is_one: bool
) -> None:
    (folder / FILE).write_bytes(beginning)
    assert is_plan_file(folder / FILE) is is_one


@given(plan=some.plans(), other=some.plans())
def test_equal_digests_mean_equal_content(plan: Plan, other: Plan) -> None:
    for each in (plan, replace(plan, diagnostics=(), complete=False), other):
        is_same = encode_json(SavedPlan.of(each)) == encode_json(SavedPlan.of(plan))
        if is_same:
            refuse_unexpected(each, plan_digest(plan))
        elif SavedPlan.of(each).tasks != SavedPlan.of(plan).tasks:
            assert plan_digest(each) != plan_digest(plan)
