"""The recorded tasks and their status, for commands on existing tasks, and how to select them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from reconciler.app.context import Context
from reconciler.app.expectations import Expectations
from reconciler.app.named_tasks import record_of_id, record_of_retired, with_named_ids
from reconciler.manifest.discovery import normalized
from reconciler.model.codes import Code
from reconciler.model.diagnostics import ManifestError, Place, TaskctlError
from reconciler.model.glob import is_glob
from reconciler.model.remarks import Arg
from reconciler.model.shell import is_org_name, is_task_id
from reconciler.model.task import TaskRef, natural
from reconciler.model.task_state import TaskState
from reconciler.model.value import Value, replace
from reconciler.plan.keys import matches_key
from reconciler.plan.selection import is_in, pattern_of
from reconciler.state.edit import find, known_refs
from reconciler.state.model import Record, State
from reconciler.system import memory
from reconciler.tasks.delivery import Refusal, delivery_error
from reconciler.tasks.status import TaskStatus, by_state


class RecordedTasks(Value, frozen=True):
    """The recorded tasks, and the connection to the service."""

    ctx: Context
    state: State
    expectations: Expectations

    @classmethod
    def of(cls, ctx: Context, state: State) -> RecordedTasks:
        return cls(ctx, state, Expectations(ctx.settings.root, ctx.settings.paths))

    @classmethod
    def open(cls, ctx: Context, selectors: Sequence[str] = ()) -> RecordedTasks:
        """Reads the state without a lock, and connects. `selectors` may include task IDs. Raises
        TaskctlError."""
        state = with_named_ids(ctx.read_state(), selectors)
        _ = ctx.client
        memory.resume_collection()  # runs for days; failed requests leave reference cycles
        return cls.of(ctx, state)

    @classmethod
    def select(
        cls,
        ctx: Context,
        selectors: Sequence[str],
        *,
        unrecorded: bool = False,
    ) -> tuple[RecordedTasks, tuple[TaskRef, ...]]:
        """The recorded tasks, and those that match (`select_refs`). `unrecorded`: a selector may
        also be the `ORG/ID` of a task that the state does not know. Raises TaskctlError."""
        tasks = cls.open(ctx, selectors)
        if unrecorded:
            tasks = replace(tasks, state=_with_unrecorded(ctx, tasks.state, selectors))
        return tasks, select_refs(ctx, tasks.state, selectors)

    def record(self, ref: TaskRef) -> Record:
        """The record of a key. Raises TaskctlError if there is only an attempt."""
        record = self.state.records.get(ref)
        if record is None:
            raise TaskctlError.of(Code.NO_TASK_YET, at=Place(key=ref.key), ref=str(ref))
        return record

    def records(self, refs: Iterable[TaskRef]) -> list[Record]:
        """The records of the keys that have a record."""
        return [self.state.records[ref] for ref in refs if ref in self.state.records]

    def statuses(self, refs: Sequence[TaskRef]) -> tuple[TaskStatus, ...]:
        """The current status of each task, tasks that need a person first. Raises RemoteError."""
        records = self.records(refs)
        read = self.ctx.reader.statuses(records, self.ctx.connection.parallelism)
        read = self.expectations.evaluate(read, records)
        files = {attempt.ref: attempt.file for attempt in self.state.attempts.values()}
        unknown = [ref for ref in refs if ref not in self.state.records]
        read += [TaskStatus(ref, TaskState.UNRESOLVED, files[ref]) for ref in unknown]
        return by_state(read)

    def status(self, record: Record) -> TaskStatus:
        """The status of one task, with all its events up to now. Raises RemoteError."""
        return self.expectations.evaluate([self.ctx.reader.status(record)], [record])[0]

    def not_visible(self, record: Record, command: tuple[str, ...] = ()) -> TaskctlError:
        """The error for a task that the service does not show: it is gone, or another user's, who
        can run the `command`."""
        failed, caller = Refusal(404, ""), self.ctx.client.identity()
        return TaskctlError([delivery_error(failed, record, caller, "", command=command)])


def _with_unrecorded(ctx: Context, state: State, selectors: Sequence[str]) -> State:
    """The state with a record for each `ORG/ID` that it does not know and the service shows. Raises
    RemoteError."""
    found, files = dict(state.records), _files(state)
    for selector in selectors:
        org_name, _, task_id = selector.partition("/")
        if not (is_org_name(org_name) and is_task_id(task_id)):
            continue
        if _matching(ctx, state, files, selector) or ctx.settings.path(selector).exists():
            continue
        remote = ctx.client.get_task(org_name, task_id)
        if remote is not None:
            record = record_of_id(org_name, task_id, remote.owner(ctx.client.identity()))
            found[record.ref] = record
    return replace(state, records=found)


def with_retired(state: State) -> State:
    """The state with a record for each removed key that has no current record."""
    known = {task.ref: record_of_retired(task, task.task_id) for task in state.retired.values()}
    return replace(state, records={**known, **state.records}) if known else state


def select_keys(state: State, selector: str) -> tuple[str, tuple[TaskRef, ...]]:
    """The recorded or attempted tasks that a `KEY`, `ORG/KEY`, glob or entry selects, and the key
    or glob that it stands for. Raises StateError if there are none."""
    pattern = pattern_of(selector, known_refs(state))
    found = {ref for ref in known_refs(state) if matches_key(pattern, [ref])}
    if found and is_glob(pattern):
        return pattern, tuple(sorted(found, key=natural))
    return pattern, (find(state, selector),)


def select_refs(ctx: Context, state: State, selectors: Sequence[str]) -> tuple[TaskRef, ...]:
    """The recorded tasks that match a selector: `KEY`, `ORG/KEY`, glob, entry or PATH; all of them
    without selectors. A key takes precedence over an entry, and both over a file. Raises StateError
    for a selector without a match."""
    files = _files(state)
    if not selectors:
        return tuple(sorted(files, key=natural))
    found: set[TaskRef] = set()
    for selector in selectors:
        if matching := _matching(ctx, state, files, selector):
            found |= matching
        elif ctx.settings.path(selector).exists():
            ctx.ui.note("no_tasks_in_path", path=selector)
        else:
            find_task(ctx, state, selector)
    return tuple(sorted(found, key=natural))


def _files(state: State) -> dict[TaskRef, str]:
    files = {attempt.ref: attempt.file for attempt in state.attempts.values()}
    return files | {ref: record.file for ref, record in state.records.items()}


def _matching(
    ctx: Context, state: State, files: Mapping[TaskRef, str], selector: str
) -> set[TaskRef]:
    """The keys that match one selector. Raises StateError if several organizations have the key."""
    if any(selector in (ref.key, str(ref)) for ref in files):
        return {find(state, selector)}
    pattern = pattern_of(selector, files.keys())
    if pattern != selector:
        return {ref for ref in files if matches_key(pattern, [ref])}
    scope = [normalized(name) for name in ctx.settings.names([selector])]
    inside = {ref for ref, file in files.items() if is_in(file, scope)}
    return inside | {ref for ref in files if matches_key(selector, [ref])}


def find_task(ctx: Context, state: State, name: str) -> TaskRef:
    """The recorded or attempted task of a `KEY` or `ORG/KEY`. Raises TaskctlError if there is none;
    the error says whether a manifest declares it."""
    refs = {*known_refs(state), *(task.ref for task in state.retired.values())}
    if not any(name in (ref.key, str(ref)) for ref in refs):
        with suppress(ManifestError):
            if any(name in (task.key, str(task.ref)) for task in ctx.load(()).tasks):
                raise TaskctlError.of(Code.NO_TASK_YET, "declared", at=Place(key=name), ref=name)
    return find(state, name)


def confirm(
    ctx: Context, question: str, *, yes: bool, again: tuple[str, ...], **facts: Arg
) -> bool:
    """Whether to proceed. Without a terminal, raises TaskctlError, which suggests the command
    `again`."""
    if yes:
        return True
    if not ctx.ui.interactive:
        raise TaskctlError.of(Code.CONFIRMATION_REQUIRED, command=again)
    return ctx.ui.ask(question, strict=False, **facts)
