"""The state and changes of it, as text and as documents."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from reconciler.messages.remarks import phrase
from reconciler.model.task import TaskRef, instant, rfc3339
from reconciler.model.wire import console_url
from reconciler.render import cells, safe
from reconciler.render.document import Document, given, inert, json_document, timestamp
from reconciler.render.style import Palette, Style
from reconciler.render.values import setting_rows
from reconciler.state.attempt import Attempt, Author, HistoryEntry, HistoryKind
from reconciler.state.codec import state_json
from reconciler.state.model import Record, State

if TYPE_CHECKING:
    from reconciler.app.new_state import Continued
    from reconciler.app.state import Edit, LocationChange


# The state


def state_table(state: State, refs: Collection[TaskRef], style: Style, *, missing: str = "") -> str:
    """A line per task, and per attempt with an unknown outcome; with `style.verbose`, also its
    file. `missing` is the path of a state file that does not exist, else empty."""
    rows = [("TASK", "TASK ID", "LAST STATUS", "FILE")]
    for ref in (ref for ref in refs if ref in state.records):
        record = state.records[ref]
        status = str(record.outputs.get("status") or "-")
        rows.append((str(ref), record.task_id, status, record.file))
    attempts = (attempt for _, attempt in sorted(state.attempts.items()) if attempt.ref in refs)
    rows += [(str(attempt.ref), "-", "unresolved", attempt.file) for attempt in attempts]
    if len(rows) == 1:
        if missing:
            return safe.line(f"There is no state file {missing} yet.") + "\n"
        return "The state contains no tasks.\n"
    width = 4 if style.verbose else 3  # a file would make the table wider than a terminal
    head, *lines = cells.table_rows([[safe.line(cell) for cell in row[:width]] for row in rows])
    return "".join(f"{line}\n" for line in (style.palette.bold(head), *lines))


def task_text(state: State, ref: TaskRef, style: Style, *, outputs: bool = True) -> str:
    """Everything known about a task; with `outputs`, including its outputs when last read."""
    palette = style.palette
    rows = [palette.bold(safe.line(str(ref)))]
    record = state.records.get(ref)
    if record is not None:
        rows += _fields(_facts(state, record, record.outputs if outputs else {}), palette)
        settings = setting_rows(record.inputs, style.indented(4))
        rows += ["  created with:", *(f"    {row}" for row in settings)]
        rows += ["  history:", *_history(record, palette)]
    for attempt in state.attempts_for(ref):
        rows += [palette.yellow("  attempt without outcome:")]
        rows += _fields(_attempt_facts(attempt), palette, indent=4)
    return "\n".join(rows) + "\n"


def _facts(state: State, record: Record, outputs: Mapping[str, object]) -> Mapping[str, str]:
    facts = {
        "task ID": record.task_id,
        "link": console_url(state.backend, record.ref.org_name, record.task_id) or "",
        "manifest": record.file,
        "created by": record.identity.login or record.identity.id,
    }
    if (created := created_at(record)) is not None:
        facts["created"] = rfc3339(created)
    facts.update(_changes(state, record))
    for name, label in (("status", "status"), ("name", "name"), ("tokensUsed", "tokens used")):
        if name in outputs:
            facts[label] = str(outputs[name])
    if record.pending:
        facts["to be set"] = " and ".join(sorted(record.pending))
    if record.reference:
        facts["reference"] = record.reference
    return facts


def _changes(state: State, record: Record) -> Mapping[str, str]:
    """The first and the last change of the record, each with the run that made it."""
    runs = [(change.what, state.runs.get(change.run)) for change in record.changes]
    texts = (f"{what} by {run}" if run is not None else what for what, run in runs)
    return dict(zip(("recorded", "last change"), texts, strict=False))


def created_at(record: Record) -> datetime | None:
    """The time when the service created the task. Until its outputs are read, it is the time of the
    response, or None for an adopted task."""
    shown = instant(record.outputs.get("createdAt"))
    return shown or (record.created_at if record.reference else None)


def _attempt_facts(attempt: Attempt) -> Mapping[str, str]:
    return {
        "reference": attempt.reference,
        "started": rfc3339(attempt.started_at),
        "by": attempt.identity.login or attempt.identity.id,
        "manifest": attempt.file,
        "to replace": attempt.replaces,
    }


def _history(record: Record, palette: Palette) -> Iterator[str]:
    """A row per history entry, oldest first."""
    for entry in record.full_history():
        at = rfc3339(entry.at) if entry.at is not None else ""
        what, detail, task_id = map(safe.line, (entry.what, entry.detail, entry.task_id))
        details: dict[str, str] = {
            HistoryKind.UPDATED: detail,
            HistoryKind.MOVED: f"from {detail}",
            HistoryKind.REPLACED: f"{task_id} (was {detail})",
            HistoryKind.RECREATED: f"{task_id} (was {detail}, gone)",
            HistoryKind.NOT_CREATED: f"request {entry.number}: {detail}",
        }
        label = "no task" if entry.what == HistoryKind.NOT_CREATED else what
        shown = details.get(entry.what, task_id)
        yield f"    {palette.dim(at.ljust(24))} {label.ljust(9)} {shown}".rstrip()


def _fields(facts: Mapping[str, str], palette: Palette, indent: int = 2) -> Iterator[str]:
    width = max(map(len, facts)) + 1
    for name, text in facts.items():
        if text:
            yield f"{'':{indent}}{palette.dim((name + ':').ljust(width))} {safe.line(text)}"


def state_document(state: State, refs: Iterable[TaskRef], *, missing: str = "") -> Document:
    """The document of `state list`; `missing` is as for `state_table`."""
    return json_document(
        backend=state.backend,
        lineage=None if missing else state.lineage,
        serial=state.serial,
        tasks=[_state_task(state, ref) for ref in refs],
    )


def _state_task(state: State, ref: TaskRef) -> Document:
    record = state.records.get(ref)
    task_id = record.task_id if record is not None else None
    return {
        "key": ref.key,
        "orgName": ref.org_name,
        "taskId": task_id,
        "url": console_url(state.backend, ref.org_name, task_id) if task_id else None,
        "file": record.file if record is not None else None,
        **state_part(state, ref),
    }


def state_part(state: State, ref: TaskRef) -> Document:
    """The state's data about a key."""
    record = state.records.get(ref)
    return {
        "recorded": _record(state, record) if record is not None else None,
        "attempts": [_attempt(attempt) for attempt in state.attempts_for(ref)],
    }


def _record(state: State, record: Record) -> Document:
    return {
        "createdAt": timestamp(created_at(record)),
        "reference": record.reference or None,
        "number": record.number,
        "pending": dict(record.pending),
        "inputs": dict(record.inputs),
        "digest": record.digest,
        "outputs": dict(record.outputs),
        "history": [_history_entry(entry) for entry in record.full_history()],
        "formerTaskIds": list(record.former),
        "changes": [_change(change.what, state.runs.get(change.run)) for change in record.changes],
    }


def _change(what: str, run: Author | None) -> Document:
    known = {} if run is None else {"user": run.user, "actor": run.actor, "url": run.url}
    at = timestamp(run.at if run is not None else None)
    return {"what": what, "at": at, **{n: known.get(n) or None for n in ("user", "actor", "url")}}


def _history_entry(entry: HistoryEntry) -> Document:
    return {
        "what": entry.what,
        "at": timestamp(entry.at),
        "taskId": entry.task_id or None,
        "number": entry.number or None,
        "detail": entry.detail,
    }


def _attempt(attempt: Attempt) -> Document:
    return {
        "reference": attempt.reference,
        "startedAt": rfc3339(attempt.started_at),
        **given(replaces=attempt.replaces),
    }


# Changes


def continued_text(result: Continued) -> str:
    case = "state.continued" if result.changed else "state.continuesAlready"
    if result.changed and result.is_dry_run:
        case = "state.wouldContinue"
    found, missing = len(result.found), len(result.missing)
    return safe.line(phrase(case, id=result.id, count=found, missing=missing)) + "\n"


def continued_document(result: Continued) -> Document:
    """The document of `state init --continue`."""
    return json_document(
        state=result.location,
        result="continued",
        changed=result.changed,
        dryRun=result.is_dry_run,
        continues=result.id,
        tasks=[
            {
                "key": each.record.ref.key,
                "orgName": each.record.ref.org_name,
                "taskId": each.remote.id,
                "createdAt": timestamp(each.remote.created_at),
                "createdBy": each.remote.creator_login,
            }
            for each in result.found
        ],
        missing=[str(ref) for ref in result.missing],
        undeclared=[str(ref) for ref in result.undeclared],
        notListed=list(result.not_listed),
    )


def edit_text(edit: Edit) -> str:
    return safe.line(phrase(f"edit.{edit.done}", ref=str(edit.ref), to=edit.to)) + "\n"


def edits_document(edits: Iterable[Edit]) -> Document:
    """The document of commands that edit the state."""
    return json_document(edits=list(map(_edit, edits)))


def _edit(edit: Edit) -> Document:
    return {
        "changed": edit.changed,
        "result": edit.done,
        "key": edit.ref.key,
        "orgName": edit.ref.org_name,
        **given(to=edit.to),
    }


def location_text(change: LocationChange) -> str:
    lines = [phrase(f"state.{change.done}", place=change.location, who=change.who)]
    used = change.who if change.done == "moved" else change.location
    if not change.is_used and _may_be_in_file(used):
        lines += [phrase("state.useInFile", place=used), f'    state = "{used}"']
    elif not change.is_used:
        lines.append(phrase("state.use", place=used))
    return "".join(safe.line(line) + "\n" for line in lines)


def _may_be_in_file(place: str) -> bool:
    """Whether taskctl.toml may contain this location: only remotes of the clone are allowed
    there."""
    return place.startswith("git:")


def location_document(change: LocationChange) -> Document:
    return json_document(state=change.location, result=change.done, changed=change.changed)


def copy_text(state: State) -> str:
    """A whole state in the form that `state push` reads, without a checksum: editing the text would
    invalidate it."""
    return inert(json.dumps(json.loads(state_json(state)), indent=2)) + "\n"


def copy_document(state: State) -> Document:
    return json_document(state=json.loads(state_json(state)))
