"""The plan document for other programs (contract, section 4), and the saved plan for apply.

The document says what would be done. The saved plan is a format of its own: it also holds the
plan's values, so that it can be shown in every format, and the basis that the plan was made from,
so that apply refuses it once any of that is different.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from reconciler import __version__
from reconciler.messages import diagnostic_document
from reconciler.messages.remarks import remarks_document
from reconciler.model.absent import ABSENT
from reconciler.model.canonical import digest
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Arg, Place, error
from reconciler.model.entry import Generated
from reconciler.model.errors import TaskctlError
from reconciler.model.task import DesiredTask, Identity
from reconciler.model.typed_json import Codec, Raw, ShapeError, decode_as, encode_json, members
from reconciler.plan.budget import budget_document
from reconciler.plan.digest import plan_digest
from reconciler.plan.options import PlanOptions
from reconciler.plan.periods import periods_of
from reconciler.plan.plan import Action, Change, Plan, PlannedTask
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record, State

FORMAT_VERSION = 1
SAVED_KIND = "taskctl-saved-plan"

_FIRST_KEY = re.compile(rb"\s*\{?\s*(\"formatVersion\"|'formatVersion'|formatVersion)\s*:")


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
        "tasks": [task_document(task) for task in tasks],
    }


def task_document(task: PlannedTask) -> dict[str, Any]:
    """A task of the plan document."""
    shown: dict[str, Any] = {
        "key": task.ref.key,
        "orgName": task.ref.org_name,
        **_generated(task.generated),
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
    if task.waits_for:
        shown["waitsFor"] = [ref.key for ref in task.waits_for]
    if task.moved_from:
        shown["movedFrom"] = task.moved_from.key
    return shown | remarks_document(task.explanation)


def _generated(generated: Generated | None) -> dict[str, Any]:
    if generated is None:
        return {}
    period = {"period": generated.period} if generated.period is not None else {}
    return {"entry": generated.entry, "values": dict(generated.values), **period}


def _identity(identity: Identity | None) -> dict[str, object] | None:
    """None if the plan was made without asking the service who the token speaks for."""
    if identity is None:
        return None
    known = {"login": identity.login, "organization": identity.organization, "team": identity.team}
    return {"id": identity.id, **{name: value for name, value in known.items() if value}}


def _change(change: Change) -> dict[str, object]:
    sides = {"before": change.before, "after": change.after}
    present = {name: side for name, side in sides.items() if side is not ABSENT}
    origin = {"origin": change.origin.value, "inPlace": change.in_place}
    return {"path": change.path, **present, **origin}


@dataclass(frozen=True, slots=True)
class Basis:
    """What a plan was made from: apply goes on only while all of it is the same.

    `manifest` and `state` are digests. A state that is not there yet has no lineage, so that two
    looks at nothing are equal. `periods` are those of the tasks of each entry that recurs.
    """

    manifest: str
    lineage: str
    serial: int
    state: str
    backend: str
    identity: Identity | None
    scope: tuple[str, ...]
    options: Mapping[str, Any]
    periods: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def differences(self, now: Basis) -> Iterator[tuple[str, dict[str, Arg]]]:
        """What has changed, with the facts of both sides: cases of SAVED_PLAN_STALE."""
        periods = dict(self._other_periods(now))
        for entry, (then, today) in periods.items():
            yield "period", {"entry": entry, "then": then, "now": today}
        if self.manifest != now.manifest and not periods:
            yield "manifest", {}
        if (self.lineage, self.serial, self.state) != (now.lineage, now.serial, now.state):
            yield "state", {"then": self.serial, "now": now.serial}
        if self.backend != now.backend:
            yield "backend", {"then": self.backend, "now": now.backend}
        if self.identity is not now.identity and not _same(self.identity, now.identity):
            yield "identity", {"then": _who(self.identity), "now": _who(now.identity)}
        if self.scope != now.scope:
            yield "scope", {"then": _paths(self.scope), "now": _paths(now.scope)}
        if flags := _different(self.options, now.options):
            yield "options", {"flags": flags}

    def _other_periods(self, now: Basis) -> Iterator[tuple[str, tuple[str, str]]]:
        """The entries that have other periods now, which makes the manifests differ as well."""
        for entry in sorted(self.periods.keys() & now.periods.keys()):
            then, today = self.periods[entry], now.periods[entry]
            if then != today:
                yield entry, (", ".join(then), ", ".join(today))


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan and its basis. `made_by` is the version of taskctl that wrote it."""

    plan: Plan
    basis: Basis
    made_by: str = __version__

    def options(self, given: PlanOptions) -> PlanOptions:
        """The options that the plan was made with. TaskctlError if a given one differs; one that
        has its default was not given."""
        kept = _OPTIONS.convert(dict(self.plan.options))
        usual = PlanOptions()
        for name in (f.name for f in fields(given)):
            if getattr(given, name) not in (getattr(kept, name), getattr(usual, name)):
                raise TaskctlError.of(Code.SAVED_PLAN_STALE, "option", flag=_flag(name))
        return kept

    def refuse_unless(self, now: Basis, file: str) -> None:
        """TaskctlError, with each thing that has changed since the plan was made."""
        differences = self.basis.differences(now)
        at = Place(file=file)
        if stale := [error(Code.SAVED_PLAN_STALE, case, at=at, **f) for case, f in differences]:
            raise TaskctlError(stale)


_BASIS, _PLAN, _OPTIONS = Codec(Basis), Codec(Plan), Codec(PlanOptions)
_RECORD, _ATTEMPT = Codec(Record), Codec(Attempt)


def options_json(options: PlanOptions) -> dict[str, object]:
    """The options that differ from their defaults, as `Plan.options` holds them."""
    found: dict[str, object] = _OPTIONS.builtins(options)
    return found


def basis_of(plan: Plan, desired: Iterable[DesiredTask], state: State) -> Basis:
    """The basis of a plan made for these tasks, their organizations resolved, on that state."""
    tasks = list(desired)
    wanted = sorted(
        [task.ref, task.file, digest(task.inputs), task.task_id, task.moved_from, task.adopt]
        for task in tasks
    )
    removed = [["removed", str(t.ref)] for t in plan.tasks if t.action is Action.FORGET]
    known = {
        "records": [_sha256(_RECORD.encode(r)) for _, r in sorted(state.records.items())],
        "attempts": [_sha256(_ATTEMPT.encode(a)) for _, a in sorted(state.attempts.items())],
        "isNew": state.is_new,
        **({"retired": sorted(state.retired)} if state.retired else {}),
    }
    there = bool(state.serial or state.records or state.attempts)
    return Basis(
        manifest=digest([*wanted, *removed]),
        lineage=state.lineage if there else "",
        serial=state.serial,
        state=digest(known),
        backend=plan.backend,
        identity=plan.identity,
        scope=plan.scope,
        options=plan.options,
        periods=periods_of(task.generated for task in tasks),
    )


def encode_saved_plan(saved: SavedPlan) -> bytes:
    """The saved plan as a file; `formatVersion` comes first, which tells it from a manifest."""
    return _whole(saved.made_by, _BASIS.encode(saved.basis), _PLAN.encode(saved.plan))


def _whole(made_by: str, basis: bytes, plan: bytes) -> bytes:
    head = {
        "formatVersion": FORMAT_VERSION,
        "kind": SAVED_KIND,
        "taskctl": made_by,
        "digest": _sha256(basis + b"\n" + plan),
    }
    parts = [b'"%b": %b' % (name.encode(), encode_json(value)) for name, value in head.items()]
    return b'{%b,\n "basis": %b,\n "plan": %b}\n' % (b",\n ".join(parts), basis, plan)


def _sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def is_saved_plan(beginning: bytes) -> bool:
    """Whether a file that begins so is meant to be one: its first key is `formatVersion`."""
    return _FIRST_KEY.match(beginning.removeprefix(b"\xef\xbb\xbf")) is not None


def read_saved_plan(data: bytes, file: str) -> SavedPlan:
    """The saved plan in `data`; TaskctlError, saying what else it is, for anything else."""
    whole = _members(data, file)
    _check_kind(whole, file)
    try:
        made_by = decode_as(str, whole["taskctl"])
        basis, plan = bytes(whole["basis"]), bytes(whole["plan"])
    except (KeyError, ShapeError) as problem:
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, reason=str(problem)) from None
    if data != _whole(made_by, basis, plan):
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, "digest")
    try:
        return SavedPlan(_PLAN.decode(plan), _BASIS.decode(basis), made_by)
    except ShapeError as problem:
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, reason=str(problem)) from None


def _members(data: bytes, file: str) -> dict[str, Raw]:
    if not data.strip():
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, "empty")
    try:
        return members(data.removeprefix(b"\xef\xbb\xbf"))
    except ShapeError as problem:
        if not is_saved_plan(data):
            raise _refused(Code.NOT_A_SAVED_PLAN, file, reason=str(problem)) from None
        case = "json" if data.rstrip().endswith(b"}") else "truncated"
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, case, reason=str(problem)) from None


def _check_kind(whole: Mapping[str, Raw], file: str) -> None:
    if "formatVersion" not in whole:
        others = {"lineage": "state", "tasks": "manifest"}
        case = next((case for name, case in others.items() if name in whole), "")
        raise _refused(Code.NOT_A_SAVED_PLAN, file, case, reason="it has no formatVersion")
    if "kind" not in whole:
        raise _refused(Code.NOT_A_SAVED_PLAN, file, "document")
    kind, version = (json.loads(bytes(whole[name])) for name in ("kind", "formatVersion"))
    if kind != SAVED_KIND:
        raise _refused(Code.NOT_A_SAVED_PLAN, file, reason="its kind is a different one")
    if type(version) is not int or version < 1:
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, reason="its formatVersion is invalid")
    if version > FORMAT_VERSION:
        by = str(json.loads(bytes(whole.get("taskctl", Raw(b'"of a later version"')))))
        known = FORMAT_VERSION
        raise _refused(Code.SAVED_PLAN_NEWER, file, "", format=version, known=known, by=by)


def _refused(code: Code, file: str, case: str = "", **facts: Arg) -> TaskctlError:
    return TaskctlError.of(code, case, at=Place(file=file), **facts)


def _same(then: Identity | None, now: Identity | None) -> bool:
    return then is not None and then.same_as(now)


def _who(identity: Identity | None) -> str:
    return "nobody" if identity is None else identity.login or identity.id


def _paths(scope: tuple[str, ...]) -> str:
    return " ".join(scope) or "all"


def _different(then: Mapping[str, object], now: Mapping[str, object]) -> tuple[str, ...]:
    """The flags of the options that differ."""
    names = sorted(n for n in {*then, *now} if then.get(n, ABSENT) != now.get(n, ABSENT))
    return tuple(map(_flag, names))


def _flag(name: str) -> str:
    """The flag of a field, `adopt_limit` or `adoptLimit`: `--adopt-limit`."""
    return "--" + re.sub(r"_|(?=[A-Z])", "-", name).lower()
