"""Removes the prompts of sensitive tasks from reports, before any format sees them.

Values that are prompts become a digest (the beginning of the SHA-256 of the UTF-8 text), which
shows whether a prompt changed. In text that may repeat a prompt, such as the service's messages, it
becomes a placeholder. Names and entities are not part of the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from reconciler.model.canonical import map_texts, texts_in
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.fields import HIDDEN
from reconciler.model.generated import Generated
from reconciler.model.remarks import Arg, Remark, map_fact
from reconciler.model.task import DesiredTask, Inputs
from reconciler.model.value import replace
from reconciler.render.reports import FailureReport, Report, ValidateReport
from reconciler.render.secrets import STAND_IN, Secrets

if TYPE_CHECKING:
    from reconciler.plan.plan import Change, Plan, PlannedTask
    from reconciler.state.attempt import Attempt
    from reconciler.state.model import Record, State

R = TypeVar("R", bound="DesiredTask | Record | Attempt")

_HIDDEN = re.compile(r"\(sensitive\) sha256:[0-9a-f]{32}")
_DIGITS = 32  # half a digest fits into a row beside its label, and identifies a text
_SHOWN_OF_MESSAGE = "entity_diff"


def masked(report: Report, secrets: Secrets) -> Report:
    """The report without `secrets` and without the prompts of its own sensitive tasks."""
    secrets |= secrets_of(report)
    if not secrets:
        return report
    diagnostics = concealed(report.diagnostics, secrets)
    if isinstance(report, FailureReport):
        return replace(report, diagnostics=diagnostics)
    if isinstance(report, ValidateReport):
        listed = tuple(redact(task) if task.sensitive else task for task in report.listed)
        return replace(report, diagnostics=diagnostics, listed=listed)
    from reconciler.plan.plan import Plan

    if isinstance(report, Plan):
        return _plan(report, secrets)
    tasks = tuple(
        replace(task, problems=concealed_remarks(task.problems, secrets)) for task in report.tasks
    )
    return replace(report, diagnostics=diagnostics, tasks=tasks)


def masked_plan(plan: Plan) -> Plan:
    """The plan to save: apply takes prompts from the manifests, never from a plan."""
    secrets = secrets_of(plan)
    return _plan(plan, secrets) if secrets else plan


def secrets_of(report: Report) -> Secrets:
    """The prompts of a report's sensitive tasks."""
    if isinstance(report, FailureReport):
        return Secrets()
    if isinstance(report, ValidateReport):
        return secrets_in(report.listed)
    from reconciler.plan.plan import Plan

    if not isinstance(report, Plan):
        return Secrets()
    return Secrets(
        text
        for task in report.tasks
        if task.sensitive
        for known in (task.desired, task.record, task.attempt)
        if known is not None
        for text in _texts(known.inputs)
    )


def secrets_in(tasks: Iterable[DesiredTask | Record | Attempt]) -> Secrets:
    """The prompts of the sensitive tasks, including those of commands."""
    return Secrets(text for task in tasks if task.sensitive for text in _texts(task.inputs))


def masked_state(state: State) -> State:
    """The state without the prompts of sensitive tasks."""
    secrets = secrets_in(state.records.values()) | secrets_in(state.attempts.values())
    if not secrets:
        return state
    records = {
        ref: _record(record, secrets) if record.sensitive else record
        for ref, record in state.records.items()
    }
    attempts = {
        mark: redact(attempt) if attempt.sensitive else attempt
        for mark, attempt in state.attempts.items()
    }
    return replace(state, records=records, attempts=attempts)


def concealed(diagnostics: Iterable[Diagnostic], secrets: Secrets) -> tuple[Diagnostic, ...]:
    return tuple(replace(d, args=_facts(d.args, secrets)) for d in diagnostics)


def concealed_remarks(remarks: Iterable[Remark], secrets: Secrets) -> tuple[Remark, ...]:
    return tuple(_remark(r, secrets) for r in remarks)


def _remark(remark: Remark, secrets: Secrets) -> Remark:
    return replace(remark, facts=_facts(remark.facts, secrets))


def _facts(facts: Mapping[str, Arg], secrets: Secrets) -> dict[str, Arg]:
    return {
        name: secrets.conceal(fact)
        if isinstance(fact, str)
        else map_fact(lambda remark: _remark(remark, secrets), Remark, fact)
        for name, fact in facts.items()
    }


def _texts(value: Inputs) -> Iterable[str]:
    message = value.get("message") or {}
    shown = (texts_in(part) for name, part in message.items() if name != _SHOWN_OF_MESSAGE)
    return (text for texts in shown for text in texts if not _HIDDEN.fullmatch(text))


def _plan(plan: Plan, secrets: Secrets) -> Plan:
    from reconciler.plan.digest import plan_digest

    return replace(
        plan,
        tasks=tuple(_task(task, secrets) for task in plan.tasks),
        diagnostics=concealed(plan.diagnostics, secrets),
        shown_digest=plan_digest(plan),
    )


def _task(task: PlannedTask, secrets: Secrets) -> PlannedTask:
    task = replace(task, remarks=concealed_remarks(task.remarks, secrets))
    if not task.sensitive:
        return task
    remote, name = task.remote, _name(task.desired) or _name(task.record)
    return replace(
        task,
        diff=tuple(_change(change, secrets, name) for change in task.diff),
        desired=redact(task.desired) if task.desired is not None else None,
        record=_record(task.record, secrets) if task.record is not None else None,
        attempt=redact(task.attempt) if task.attempt is not None else None,
        remote=replace(remote, raw=_conceal(remote.raw, secrets, name)) if remote else None,
    )


def _change(change: Change, secrets: Secrets, name: str | None) -> Change:
    """Prompts as digests, also in a message that was added or removed as a whole."""
    sides = (change.before, change.after)
    if change.path == "message":
        before, after = (_redact_message(s) if isinstance(s, Mapping) else s for s in sides)
    elif re.match(r"message\b(?!\.entity_diff)", change.path):
        before, after = map(_digests, sides)
    else:
        before, after = (_conceal(side, secrets, name) for side in sides)
    return replace(change, before=before, after=after)


def _record(record: Record, secrets: Secrets) -> Record:
    """The service may derive a task's name from its prompt."""
    outputs = _conceal(record.outputs, secrets, _name(record))
    return replace(redact(record), outputs=outputs)


def redact(task: R) -> R:
    """Without its prompt, its entry's prompt, and the values that both are made from."""
    inputs = _redact_inputs(task.inputs)
    if not isinstance(task, DesiredTask):
        generated = _redact_values(task.generated) if task.generated is not None else None
        return replace(task, inputs=inputs, generated=generated)
    if task.origin is None:
        return replace(task, inputs=inputs)
    origin = replace(
        task.origin,
        generated=_redact_values(task.origin.generated),
        template=_redact_inputs(task.origin.template),
    )
    return replace(task, inputs=inputs, origin=origin)


def _redact_values(generated: Generated) -> Generated:
    """Values are too short for digests, which could be guessed."""
    return replace(generated, values=dict.fromkeys(generated.values, STAND_IN))


def _redact_inputs(inputs: Inputs) -> Inputs:
    return {name: _redact_message(v) if name in HIDDEN else v for name, v in inputs.items()}


def _redact_message(message: object) -> object:
    if not isinstance(message, Mapping):
        return _digests(message)
    return {
        name: part if name == _SHOWN_OF_MESSAGE else _digests(part)
        for name, part in message.items()
    }


def _digests(value: object) -> object:
    """The value with digests in place of texts; existing digests are kept."""
    return map_texts(lambda text: text if _HIDDEN.fullmatch(text) else _digest(text), value)


def _digest(text: str) -> str:
    from hashlib import sha256

    hexadecimal = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"(sensitive) sha256:{hexadecimal[:_DIGITS]}"


def _conceal(value: object, secrets: Secrets, name: str | None) -> Any:
    """The value with prompts removed from its texts, except the `name` from the manifest."""
    return map_texts(lambda text: text if text == name else secrets.conceal(text), value)


def _name(task: DesiredTask | Record | None) -> str | None:
    name = task.inputs.get("name") if task is not None else None
    return name if isinstance(name, str) else None
