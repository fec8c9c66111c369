"""The plan document is valid by its schema."""

from __future__ import annotations

import json

from hypothesis import given

from reconciler.messages.commands import AS_WRITTEN
from reconciler.model.canonical import ABSENT
from reconciler.model.service import Identity
from reconciler.model.task import TaskRef
from reconciler.model.value import replace
from reconciler.plan.digest import plan_digest
from reconciler.plan.plan import Action, Change, Origin, Plan, PlannedTask, Reason
from reconciler.render import view_of
from reconciler.render.document import dump
from tests.support import plan_strategies as some
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
