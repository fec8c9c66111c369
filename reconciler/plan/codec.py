"""The saved plan: all values of the plan, so that it can be shown in every format, and its basis,
so that apply can reject a stale plan.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from reconciler import __version__
from reconciler.model.canonical import ABSENT, digest
from reconciler.model.checksum import is_intact, with_checksum
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, TaskctlError, error
from reconciler.model.identity import Identity
from reconciler.model.remarks import Arg
from reconciler.model.task import DesiredTask
from reconciler.model.typed_json import (
    Raw,
    ShapeError,
    builtins_of,
    convert_to,
    decode_as,
    encode_json,
    members,
)
from reconciler.model.value import Stored, field, replace
from reconciler.plan.options import PlanOptions
from reconciler.plan.periods import periods_of
from reconciler.plan.plan import Action, Plan
from reconciler.state.model import State

FORMAT_VERSION = 1
SAVED_KIND = "taskctl-saved-plan"

_FIRST_KEY = re.compile(rb"\s*+\{?\s*+([\"']?)(checksum|formatVersion)\1\s*:")


class Basis(Stored, frozen=True):
    """What a plan was made from: apply rejects the saved plan if any of it has changed.

    `manifest` and `state` are digests. The lineage of an empty state is "", since it is random
    until the state is saved. `periods` has those of each recurring entry.
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
        """What has changed, as cases of SAVED_PLAN_STALE with their facts. Other periods imply that
        the manifests differ."""
        entries = sorted(self.periods.keys() & now.periods.keys())
        recurring = [entry for entry in entries if self.periods[entry] != now.periods[entry]]
        for entry in recurring:
            then, today = (", ".join(basis.periods[entry]) for basis in (self, now))
            yield "period", {"entry": entry, "then": then, "now": today}
        if self.manifest != now.manifest and not recurring:
            yield "manifest", {}
        if (self.lineage, self.serial, self.state) != (now.lineage, now.serial, now.state):
            yield "state", {"then": self.serial, "now": now.serial}
        if self.backend != now.backend:
            yield "backend", {"then": self.backend, "now": now.backend}
        was, who = self.identity, now.identity
        if not (was.same_as(who) if was is not None else who is None):
            then, today = (identity.name if identity else "unknown" for identity in (was, who))
            yield "identity", {"then": then, "now": today}
        if self.scope != now.scope:
            then, today = (" ".join(basis.scope) or "all" for basis in (self, now))
            yield "scope", {"then": then, "now": today}
        names = sorted({*self.options, *now.options})
        differing = (n for n in names if self.options.get(n, ABSENT) != now.options.get(n, ABSENT))
        if flags := tuple(map(_flag, differing)):
            yield "options", {"flags": flags}


class SavedPlan(NamedTuple):
    """A plan, its basis, and the version of taskctl that made it."""

    plan: Plan
    basis: Basis
    made_by: str = __version__

    def options(self, given: PlanOptions) -> PlanOptions:
        """The options of the plan. Raises TaskctlError if a given option differs both from them and
        from its default."""
        kept = convert_to(PlanOptions, dict(self.plan.options))
        defaults = PlanOptions()
        for name in given.__struct_fields__:
            if getattr(given, name) not in (getattr(kept, name), getattr(defaults, name)):
                raise TaskctlError.of(Code.SAVED_PLAN_STALE, "option", flag=_flag(name))
        return kept

    def refuse_unless(self, now: Basis, file: str) -> None:
        """Raises TaskctlError with everything that has changed since the plan was made."""
        stale = [
            error(Code.SAVED_PLAN_STALE, case, at=Place(file=file), **facts)
            for case, facts in self.basis.differences(now)
        ]
        if stale:
            raise TaskctlError(stale)


def options_json(options: PlanOptions) -> dict[str, object]:
    """The options that differ from their defaults, as in `Plan.options`."""
    found: dict[str, object] = builtins_of(options)
    return found


def basis_of(plan: Plan, desired: Iterable[DesiredTask], state: State) -> Basis:
    """The basis of a plan for these tasks, with their organizations resolved, on that state."""
    tasks = list(desired)
    declared = sorted(
        [
            *(task.ref, task.file, digest(task.inputs), task.task_id, task.moved_from, task.adopt),
            *(task.expect.digest if task.expect is not None else "", *task.after),
        ]
        for task in tasks
    )
    removed = [["removed", str(t.ref)] for t in plan.tasks if t.action is Action.FORGET]
    known = {
        "records": [_sha256(encode_json(r)) for _, r in sorted(state.records.items())],
        "attempts": [
            _sha256(encode_json(replace(a, waited=0.0))) for _, a in sorted(state.attempts.items())
        ],
        "isNew": state.is_new,
        **({"retired": sorted(state.retired)} if state.retired else {}),
        **({"keys": sorted(f"{r} {n}" for r, n in state.keys.items())} if state.keys else {}),
    }
    is_saved = bool(state.serial or state.records or state.attempts)
    return Basis(
        manifest=digest([*declared, *removed]),
        lineage=state.lineage if is_saved else "",
        serial=state.serial,
        state=digest(known),
        backend=plan.backend,
        identity=plan.identity,
        scope=plan.scope,
        options=plan.options,
        periods=periods_of(task.generated for task in tasks),
    )


def encode_saved_plan(saved: SavedPlan) -> bytes:
    """The file of a saved plan. Its first key tells it from a manifest."""
    parts = {
        "formatVersion": encode_json(FORMAT_VERSION),
        "kind": encode_json(SAVED_KIND),
        "taskctl": encode_json(saved.made_by),
        "basis": encode_json(saved.basis),
        "plan": encode_json(saved.plan),
    }
    lines = [b'\n "%b": %b' % (name.encode(), part) for name, part in parts.items()]
    return with_checksum(b"{%b}" % b",".join(lines))


def _sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def is_saved_plan(beginning: bytes) -> bool:
    """Whether the first key of a file is one of a document, and of no manifest."""
    return _FIRST_KEY.match(beginning.removeprefix(b"\xef\xbb\xbf")) is not None


def read_saved_plan(data: bytes, file: str) -> SavedPlan:
    """The saved plan in `data`. Raises TaskctlError for anything else, naming the kind of file if
    it is known."""
    whole = _members(data, file)
    _check_kind(whole, file)
    if not is_intact(data):
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, "checksum")
    try:
        made_by = decode_as(str, whole["taskctl"])
        return SavedPlan(decode_as(Plan, whole["plan"]), decode_as(Basis, whole["basis"]), made_by)
    except KeyError as problem:
        missing = ShapeError(str(problem.args[0]), "missing")
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, reason=missing.cause) from None
    except ShapeError as problem:
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, reason=problem.cause) from None


def _members(data: bytes, file: str) -> dict[str, Raw]:
    if not data.strip():
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, "empty")
    try:
        return members(data.removeprefix(b"\xef\xbb\xbf"))
    except ShapeError as problem:
        if not is_saved_plan(data):
            raise _refused(Code.NOT_A_SAVED_PLAN, file, reason=problem.cause) from None
        case = "json" if data.rstrip().endswith(b"}") else "truncated"
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, case, reason=problem.cause) from None


def _check_kind(whole: Mapping[str, Raw], file: str) -> None:
    if "formatVersion" not in whole:
        others = {"lineage": "state", "tasks": "manifest"}
        case = next((case for name, case in others.items() if name in whole), "formatVersion")
        raise _refused(Code.NOT_A_SAVED_PLAN, file, case)
    if "kind" not in whole:
        raise _refused(Code.NOT_A_SAVED_PLAN, file, "document")
    try:
        kind = decode_as(str, whole["kind"])
        version = decode_as(int, whole["formatVersion"])
        made_by = decode_as(str, whole.get("taskctl", Raw(b'"of a later version"')))
    except ShapeError as problem:
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, reason=problem.cause) from None
    if kind != SAVED_KIND:
        raise _refused(Code.NOT_A_SAVED_PLAN, file, "kind")
    if version < 1:
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, "formatVersion")
    if version > FORMAT_VERSION:
        known = FORMAT_VERSION
        raise _refused(Code.SAVED_PLAN_NEWER, file, "", format=version, known=known, by=made_by)


def _refused(code: Code, file: str, case: str = "", **facts: Arg) -> TaskctlError:
    return TaskctlError.of(code, case, at=Place(file=file), **facts)


def _flag(name: str) -> str:
    """The flag of a field, `adopt_limit` or `adoptLimit`: `--adopt-limit`."""
    own = name.removesuffix("_attempts").removesuffix("Attempts")
    return "--" + re.sub(r"_|(?=[A-Z])", "-", own).lower()
