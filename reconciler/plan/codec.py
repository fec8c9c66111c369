"""The plan document for other programs (contract, section 4), and the saved plan for apply.

The document says what would be done. The saved plan is a format of its own: it also holds the
plan's values, so that it can be shown in every format, and the basis that the plan was made from,
so that apply refuses it once any of that is different.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, NoReturn

from reconciler import __version__
from reconciler.messages import diagnostic_document
from reconciler.messages.remarks import remarks_document
from reconciler.model.canonical import digest
from reconciler.model.errors import TaskctlError
from reconciler.model.options import PlanOptions
from reconciler.model.task import DesiredTask, Identity
from reconciler.plan.budget import budget_document
from reconciler.plan.digest import plan_digest
from reconciler.plan.packing import ShapeError, camel, pack, unpack
from reconciler.plan.plan import ABSENT, Change, Plan, PlannedTask
from reconciler.state.model import State

FORMAT_VERSION = 1
SAVED_KIND = "taskctl-saved-plan"

_FIRST_KEY = re.compile(rb"\s*\{?\s*(\"formatVersion\"|'formatVersion'|formatVersion)\s*:")
_AGAIN = "Make a new one:\n    taskctl plan --out FILE"


def plan_document(plan: Plan) -> dict[str, Any]:
    """The plan as JSON values, valid by `schemas/plan.schema.json`; `formatVersion` first."""
    tasks = sorted(plan.tasks, key=lambda task: task.ref)
    budget = {"budget": budget_document(plan.budgets)} if plan.budgets else {}
    return {
        "formatVersion": FORMAT_VERSION,
        "backend": plan.backend,
        "organizations": list(plan.organizations()),
        "identity": _identity(plan.identity),
        "scope": list(plan.scope),
        "complete": plan.complete,
        "applyWillFail": plan.apply_will_fail(),
        "digest": plan_digest(plan),
        "diagnostics": [diagnostic_document(diagnostic) for diagnostic in plan.diagnostics],
        "summary": plan.summary(),
        **budget,
        "tasks": [_task(task) for task in tasks],
    }


def _task(task: PlannedTask) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "key": task.ref.key,
        "orgName": task.ref.org_name,
        "action": task.action.value,
        "reason": task.reason.value,
        "taskId": task.task_id,
        "file": task.file,
        "line": task.line,
        "diff": [_change(change) for change in task.diff],
    }
    if task.unattended:
        shown["unattended"] = True
    if task.update:
        shown["update"] = sorted(task.update)
    if task.creates and task.desired is not None:
        shown["inputs"] = dict(task.desired.inputs)
    if task.moved_from:
        shown["movedFrom"] = task.moved_from.key
    return shown | remarks_document(task.explanation)


def _identity(identity: Identity | None) -> dict[str, Any] | None:
    """None if the plan was made without asking the service who the token speaks for."""
    if identity is None:
        return None
    known = {"login": identity.login, "organization": identity.organization, "team": identity.team}
    return {"id": identity.id, **{name: value for name, value in known.items() if value}}


def _change(change: Change) -> dict[str, Any]:
    sides = {"before": change.before, "after": change.after}
    present = {name: side for name, side in sides.items() if side is not ABSENT}
    origin = {"origin": change.origin.value, "inPlace": change.in_place}
    return {"path": change.path, **present, **origin}


@dataclass(frozen=True, slots=True)
class Basis:
    """What a plan was made from: apply goes on only while all of it is the same.

    `manifest` and `state` are digests. A state that is not there yet has no lineage, so that two
    looks at nothing are equal.
    """

    manifest: str
    lineage: str
    serial: int
    state: str
    backend: str
    identity: Identity | None
    scope: tuple[str, ...]
    options: Mapping[str, Any]

    def differences(self, now: Basis) -> tuple[str, ...]:
        """What is not as it was, in words for a reader; nothing if all is the same."""
        same_identity = self.identity is now.identity or (
            self.identity is not None and self.identity.same_as(now.identity)
        )
        state_then, state_now = ((b.lineage, b.serial, b.state) for b in (self, now))
        checks = {
            "the manifests": self.manifest == now.manifest,
            f"the state (serial {self.serial} then, {now.serial} now)": state_then == state_now,
            f"the backend ({self.backend} then, {now.backend} now)": self.backend == now.backend,
            f"the identity ({_who(self.identity)} then, {_who(now.identity)} now)": same_identity,
            f"the scope ({_paths(self.scope)} then, {_paths(now.scope)} now)": (
                self.scope == now.scope
            ),
            f"the options ({_options(self.options, now.options)})": (
                dict(self.options) == dict(now.options)
            ),
        }
        return tuple(words for words, same in checks.items() if not same)


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan and its basis. `made_by` is the version of taskctl that wrote it."""

    plan: Plan
    basis: Basis
    made_by: str = __version__

    def options(self, given: PlanOptions) -> PlanOptions:
        """The options that the plan was made with. TaskctlError where one was given that differs;
        one that has its default was not given."""
        kept = unpack(PlanOptions, dict(self.plan.options))
        usual = PlanOptions()
        for name in (f.name for f in fields(given)):
            if getattr(given, name) not in (getattr(kept, name), getattr(usual, name)):
                raise TaskctlError.of(
                    f"the saved plan was made with another {_flag(name)}; nothing was sent",
                    f"Leave it out, since the plan file keeps its options. Or make a new one:\n"
                    f"    taskctl plan {_flag(name)} ... --out FILE",
                )
        return kept

    def refuse_unless(self, now: Basis, file: str) -> None:
        """TaskctlError, naming each thing that is not as it was when the plan was made."""
        differences = self.basis.differences(now)
        if differences:
            changed = "".join(f"\n    {what}" for what in differences)
            raise TaskctlError.of(
                "the saved plan does not fit any more; nothing was sent",
                f"Since it was made, this has changed:{changed}\n{_AGAIN}",
                file=file,
            )


def options_json(options: PlanOptions) -> dict[str, Any]:
    """Every one of the options, as `Plan.options` holds them; durations in microseconds."""
    return {camel(f.name): pack(getattr(options, f.name)) for f in fields(options)}


def basis_of(plan: Plan, desired: Iterable[DesiredTask], state: State) -> Basis:
    """The basis of a plan made for these tasks, their organizations resolved, on that state."""
    wanted = sorted(
        [task.ref, task.file, digest(task.inputs), task.task_id, task.moved_from, task.adopt]
        for task in desired
    )
    known = {
        "records": [pack(record) for _, record in sorted(state.records.items())],
        "attempts": [pack(attempt) for _, attempt in sorted(state.attempts.items())],
        "isNew": state.is_new,
    }
    there = bool(state.serial or state.records or state.attempts)
    return Basis(
        manifest=digest(wanted),
        lineage=state.lineage if there else "",
        serial=state.serial,
        state=digest(known),
        backend=plan.backend,
        identity=plan.identity,
        scope=plan.scope,
        options=plan.options,
    )


def encode_saved_plan(saved: SavedPlan) -> bytes:
    """The saved plan as a file; `formatVersion` comes first, which tells it from a manifest."""
    body = {"basis": pack(saved.basis), "plan": pack(saved.plan)}
    whole = {
        "formatVersion": FORMAT_VERSION,
        "kind": SAVED_KIND,
        "taskctl": saved.made_by,
        "digest": digest(body),
        **body,
    }
    members = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in whole.items()]
    return ("{" + ",\n ".join(members) + "}\n").encode("ascii")


def is_saved_plan(beginning: bytes) -> bool:
    """Whether a file that begins so is meant to be one: its first key is `formatVersion`."""
    return _FIRST_KEY.match(beginning.removeprefix(b"\xef\xbb\xbf")) is not None


def read_saved_plan(data: bytes, file: str) -> SavedPlan:
    """The saved plan in `data`; TaskctlError, saying what else it is, for anything else."""
    whole = _parsed(data, file)
    _check_kind(whole, file)
    known = {"formatVersion", "kind", "taskctl", "digest", "basis", "plan"}
    wrong = sorted(whole.keys() ^ known)
    if wrong:
        fault = "is missing" if wrong[0] in known else "is not known"
        _refuse(file, f"the saved plan is damaged: {wrong[0]}: {fault}")
    body = {"basis": whole["basis"], "plan": whole["plan"]}
    if whole["digest"] != digest(body):
        _refuse(file, "the saved plan was changed after it was written: its digest does not fit")
    try:
        plan, basis = unpack(Plan, body["plan"]), unpack(Basis, body["basis"])
    except ShapeError as problem:
        _refuse(file, f"the saved plan is damaged: {problem}", cause=problem)
    return SavedPlan(plan, basis, str(whole["taskctl"]))


def _parsed(data: bytes, file: str) -> dict[str, Any]:
    if not data.strip():
        _refuse(file, "the plan file is empty")
    try:
        whole = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as problem:
        _refuse(file, "this is no saved plan: it is not UTF-8", cause=problem)
    except RecursionError as problem:
        _refuse(file, "this is no saved plan: it is nested too deeply", cause=problem)
    except json.JSONDecodeError as problem:
        if not is_saved_plan(data):
            _refuse(file, "this is no saved plan", cause=problem)
        where = f"line {problem.lineno}, column {problem.colno}"
        cut = not data.rstrip().endswith(b"}")
        what = "cut short" if cut else "no JSON"
        _refuse(file, f"the plan file is {what}: {problem.msg} ({where})", cause=problem)
    if not isinstance(whole, dict):
        _refuse(file, "this is no saved plan: it holds no object")
    return whole


def _check_kind(whole: Mapping[str, Any], file: str) -> None:
    if "formatVersion" not in whole:
        known = {"lineage": "a state file", "tasks": "a manifest"}
        what = next((words for name, words in known.items() if name in whole), "something else")
        _refuse(file, f"this is no saved plan but {what}: it has no formatVersion")
    if "kind" not in whole:
        what = "a plan document" if {"tasks", "scope"} <= whole.keys() else "another document"
        _refuse(file, f"this is {what} of --format json, which apply and show do not take")
    if whole["kind"] != SAVED_KIND:
        _refuse(file, f"this is no saved plan: its kind is {whole['kind']!r}")
    version = whole["formatVersion"]
    if type(version) is not int or version < 1:
        _refuse(file, f"the saved plan is damaged: formatVersion {version!r} never was")
    if version > FORMAT_VERSION:
        by = f"taskctl {whole.get('taskctl', 'of a later version')}"
        raise TaskctlError.of(
            f"the saved plan has format {version}, this taskctl knows {FORMAT_VERSION}",
            f"It was written by {by}: use that one, or make the plan anew with this one:\n"
            "    taskctl plan --out FILE",
            file=file,
        )


def _refuse(file: str, what: str, *, cause: BaseException | None = None) -> NoReturn:
    raise TaskctlError.of(what, _AGAIN, file=file) from cause


def _who(identity: Identity | None) -> str:
    return "nobody" if identity is None else identity.login or identity.id


def _paths(scope: tuple[str, ...]) -> str:
    return " ".join(scope) or "all"


def _options(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    names = sorted(n for n in {*then, *now} if then.get(n, ABSENT) != now.get(n, ABSENT))
    return ", ".join(map(_flag, names))


def _flag(name: str) -> str:
    """The flag of a field, `adopt_limit` or `adoptLimit`: `--adopt-limit`."""
    return "--" + re.sub(r"_|(?=[A-Z])", "-", name).lower()
