"""Whoever changes a saved plan, and corrects its checksum, makes it damaged or stale, or changes
nothing that a report shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from reconciler.model.budget import Budget, Outlook
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, Severity, TaskctlError
from reconciler.model.options import PlanOptions
from reconciler.model.remarks import remark
from reconciler.model.task import Generated, Rollout, TaskOrigin, TaskRef
from reconciler.model.typed_json import encode_json, with_checksum
from reconciler.model.value import replace
from reconciler.plan.codec import encode_saved_plan, read_saved_plan
from reconciler.plan.digest import refuse_stale
from reconciler.plan.plan import Action, Change, Plan, PlannedTask, Reason
from reconciler.render import FORMATS, render
from reconciler.render.style import Style
from tests.support.plan_sample import PLAN, desired, task
from tests.support.plan_values import NOW, attempt, record, remote

STYLES = (Style(), Style(verbose=True))
DROP = object()
GARBAGE: tuple[Any, ...] = ("", "x", 7, True, None, [], {}, DROP)


def generated(name: str, action: Action, reason: Reason, **more: Any) -> PlannedTask:
    prompt, values = {"message": {"content": "Do {{ n }}."}}, {"n": name, "team": "core"}
    made = Generated("fleet", values, "2026-11")
    origin = TaskOrigin(made, "@{{ n }}", prompt, rollout=Rollout(pilot=1))
    work = replace(desired(f"fleet@{name}", f"Do {name}."), origin=origin, after=("same",))
    return task(work.key, action, reason, desired=work, **more)


SEEN = remote("t-7", NOW, approvalMode="auto", createdBy={"githubLogin": "ada"})
MORE = (
    generated("a", Action.CREATE, Reason.NEW),
    generated("b", Action.CREATE, Reason.NEW),
    generated("c", Action.HELD, Reason.PILOT, waits_for=(TaskRef("acme", "fleet@a"),)),
    task(
        "forgotten",
        *(Action.FORGET, Reason.LISTED),
        record=record("forgotten", "t-9"),
        task_id="t-9",
        remarks=(remark("forget", file="x.yaml"),),
        unfinished=True,
    ),
    task(
        "settings",
        *(Action.UPDATE, Reason.IN_PLACE),
        task_id="t-10",
        diff=(Change("approvalMode", "auto", "manual"),),
        patch={"approvalMode": "manual"},
        only_recorded=("name",),
        record=record("settings", "t-10"),
    ),
    *(
        task(
            key,
            *(Action.REPLACE, Reason.ASKED),
            task_id=f"t-{key}",
            record=record(key, f"t-{key}"),
            remarks=(remark(case),),
            unfinished=case == "replace.keep",
        )
        for key, case in (("again", "replace.ended"), ("running", "replace.keep"))
    ),
    task(
        "silent",
        *(Action.UNRESOLVED, Reason.AMBIGUOUS),
        attempt=attempt("silent", NOW, number=2),
        candidate=SEEN,
    ),
    task(
        "unsure",
        *(Action.ADOPT, Reason.REFERENCE),
        attempt=attempt("unsure", NOW),
        remote=SEEN,
        task_id="t-7",
    ),
)
WARNING = Diagnostic(Code.ROLLOUT_STOPPED, Severity.WARNING, args={"entry": "x", "count": 1})
FULL = replace(
    PLAN,
    tasks=tuple(sorted((*PLAN.tasks, *MORE), key=lambda each: each.ref)),
    lineage="line",
    closed=("a/3 babab-babab-babab",),
    diagnostics=(replace(WARNING, args={**WARNING.args, "failed": ("y",)}, at=Place("a.yaml")),),
    budgets=(Outlook(Budget("acme", 1, 2, exhausted=False), NOW),),
    succeeded=(TaskRef("acme", "same"),),
    options=PlanOptions(wait=True),
)
IDLE = replace(
    FULL,
    complete=False,
    tasks=tuple(each for each in FULL.tasks if each.action in (Action.UNCHANGED, Action.CHANGED)),
)


def test_no_change_is_shown_and_applied() -> None:
    for plan in (FULL, IDLE):
        assert_safe(plan)


def assert_safe(plan: Plan) -> None:
    """For each change of a value, by those that the same field has anywhere in a plan, too."""
    saved = encode_saved_plan(plan)
    back, whole = read_saved_plan(saved, "plan"), json.loads(saved)
    refuse_stale(plan, back, "plan")
    del whole["checksum"]
    pool: dict[tuple[str, ...], dict[str, Any]] = {}
    for known in (encode_json(FULL), encode_json(IDLE), encode_json(back)):
        for path, node in nodes(json.loads(known)):
            for name, value in node.items() if isinstance(node, dict) else ():
                pool.setdefault((*path, name), {})[repr(value)] = value
    shown = [render(name, back, style) for name in FORMATS for style in STYLES]
    tried, equal = 0, {repr(back)}
    for node, name, value in list(changes(whole["plan"], pool)):
        with_it = changed(node, name, value, whole)
        tried += 1
        try:
            forged = read_saved_plan(with_checksum(with_it), "plan")
            refuse_stale(plan, forged, "plan")
        except TaskctlError:
            continue
        if repr(forged) in equal:
            continue
        equal.add(repr(forged))
        now = [render(form, forged, style) for form in FORMATS for style in STYLES]
        assert now == shown, (name, value)
    assert tried > 1_000


def nodes(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All objects and lists in a JSON value, with the names above them; lists add none."""
    if isinstance(value, dict | list):
        yield path, value
        for name, part in value.items() if isinstance(value, dict) else ((None, p) for p in value):
            yield from nodes(part, path if name is None else (*path, name))


def changes(
    whole: Any, pool: dict[tuple[str, ...], dict[str, Any]]
) -> Iterator[tuple[Any, Any, Any]]:
    """An object or list, a name or index in it, and a new value."""
    for path, node in nodes(whole):
        if isinstance(node, list):
            for index in range(len(node)):
                yield from ((node, index, value) for value in GARBAGE)
            yield from ((node, len(node), value) for value in (*node[:1], {}))
            continue
        known = {names[-1] for names in pool if names[:-1] == path}
        for name in known:
            others = pool[(*path, name)].values()
            yield from ((node, name, value) for value in (*others, *GARBAGE))


def changed(node: Any, name: Any, value: Any, whole: Any) -> bytes:
    """The file with this change, which is undone."""
    before = dict(node) if isinstance(node, dict) else list(node)
    if value is DROP:
        node.pop(name) if isinstance(node, list) else node.pop(name, None)
    elif isinstance(node, list) and name == len(node):
        node.append(value)
    else:
        node[name] = value
    text = json.dumps(whole).encode()
    node.clear()
    node.update(before) if isinstance(node, dict) else node.extend(before)
    return text
