"""`import`: existing tasks become manifest entries and records.

Everything is read before anything is written. Then the manifest is made durable, and only then are
the records: a run that dies in between leaves a manifest whose `taskID`s the next plan adopts, and
the next import records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.app.context import Context
from reconciler.app.import_selection import Choice, chosen, not_of_attempts
from reconciler.app.import_target import Target, content_of
from reconciler.importing.batch import Batch, Candidate, Keys, adoptions
from reconciler.importing.declaration import Opening, read_opening
from reconciler.importing.report import ImportedTask, ImportReport, ImportResult, SkipReason
from reconciler.manifest.discovery import shown_name
from reconciler.manifest.insertion import Added, added
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, error
from reconciler.model.errors import RemoteError, TaskctlError
from reconciler.model.shell import command_line
from reconciler.model.task import TaskRef
from reconciler.state.model import Record, Recorded, State

if TYPE_CHECKING:
    from reconciler.importing.pulumi import Resource

Append = Callable[..., None]


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """`file` is the manifest as the user named it; `dry_run` writes nothing. Either `choice` or
    `program` says what to import: `program` is a file, `-` for `content`."""

    file: str
    choice: Choice | None = None
    program: str | None = None
    content: bytes = b""
    dry_run: bool = False


def import_tasks(ctx: Context, request: ImportRequest) -> ImportReport:
    """Imports tasks of the service, or of a Pulumi program or stack. TaskctlError."""
    run = Importing(ctx, request.file, dry_run=request.dry_run)
    if request.program is not None:
        return run.of_program(request.program, request.content)
    return run.of_service(request.choice or Choice())


class Importing:
    """One run. `file` is the manifest as the user named it; `dry_run` writes nothing."""

    def __init__(self, ctx: Context, file: str, *, dry_run: bool) -> None:
        self._ctx = ctx
        self._target = Target(ctx, file)
        self._dry_run = dry_run
        self._batch = Batch(Keys(()), self._target.hides_prompts())
        self._origin = ""

    def of_service(self, choice: Choice) -> ImportReport:
        """Imports tasks that the service shows. TaskctlError."""
        ctx = self._ctx
        with self._service() as (org_name, state, append):
            tasks = chosen(ctx.client, org_name, choice, ctx.now())
            self._take([Candidate(task) for task in tasks], state)
            return self._finish(append)

    def of_program(self, file: str, stdin: bytes) -> ImportReport:
        """Imports what a Pulumi program or stack contains. The service is asked only for tasks
        whose IDs are known. TaskctlError."""
        from reconciler.importing.pulumi import read_program

        settings = self._ctx.settings
        self._origin = "<stdin>" if file == "-" else shown_name(settings.root, file)
        content = stdin if file == "-" else content_of(settings.path(file), self._origin)
        if content is None:
            raise TaskctlError.of(Code.UNREADABLE_FILE, "program", at=Place(self._origin))
        program = read_program(content, self._origin)
        self._batch.diagnostics += program.diagnostics
        self._batch.tasks += [
            ImportedTask(name, None, ImportResult.FAILED) for name in program.failed
        ]
        known = [resource for resource in program.resources if resource.task_id is not None]
        unknown = [resource for resource in program.resources if resource.task_id is None]
        if not known:
            state = self._ctx.read_state()
            self._batch.keys = self._target.keys(state)
            self._take_unknown(unknown, state)
            return self._finish(None)
        with self._service() as (org_name, state, append):
            self._take(self._seen(known, org_name), state)
            self._take_unknown(unknown, state)
            return self._finish(append)

    @contextmanager
    def _service(self) -> Iterator[tuple[str, State, Append]]:
        ctx = self._ctx
        ctx.client.identity()
        self._target.in_org(ctx.organization)
        if self._dry_run:
            state = ctx.read_state()
            self._batch.keys = self._target.keys(state)
            yield ctx.organization, state, lambda *_: None
            return
        with ctx.open_state("import") as session:
            self._batch.keys = self._target.keys(session.state)
            yield ctx.organization, session.state, session.append

    # What is to be written

    def _seen(self, resources: Sequence[Resource], org_name: str) -> list[Candidate]:
        """Those that this token can see; the others are errors."""
        found = []
        for resource in resources:
            task = self._ctx.client.get_task(resource.org_name or org_name, resource.task_id or "")
            if task is not None:
                found.append(Candidate(task, resource))
                continue
            place = Place(self._origin, resource.line, resource.column)
            facts = {"name": resource.name, "task_id": resource.task_id}
            self._batch.diagnostics.append(error(Code.NO_SUCH_TASK, "resource", at=place, **facts))
            self._batch.tasks.append(
                ImportedTask(
                    resource.name, resource.org_name, ImportResult.FAILED, resource.task_id
                )
            )
        return found

    def _take(self, candidates: Sequence[Candidate], state: State) -> None:
        """Those that are in no manifest are read and taken; the others are told of."""
        batch, recorded = self._batch, state.recorded_ids()
        new: dict[str, Candidate] = {}
        for candidate in candidates:
            task = candidate.task
            ref, listed = recorded.get(task.id), self._target.listed(task)
            if ref is not None:
                why, file = _known_as(state.records.get(ref), task.id)
                batch.skip(ref.key, task.org_name, why, task.id, file)
            elif listed is not None and _is_spoken_for(TaskRef(task.org_name, listed.key), state):
                batch.skip(listed.key, task.org_name, SkipReason.KEY_TAKEN, task.id, listed.file)
            elif listed is not None:
                not_of_attempts([task], state)
                batch.add_listed(listed, task)
            else:
                new.setdefault(task.id, candidate)
        not_of_attempts([candidate.task for candidate in new.values()], state)
        openings = self._openings(list(new.values()))
        read = list(zip(new.values(), openings, strict=True))
        waiting = self._target.waiting(state)
        taken = adoptions([(c.task, o) for c, o in read], waiting, self._ctx.client.identity())
        for candidate, opening in read:
            listed = taken.get(candidate.task.id)
            if listed is not None:
                batch.add_listed(listed, candidate.task)
            else:
                batch.add(candidate, opening)

    def _take_unknown(self, resources: Sequence[Resource], state: State) -> None:
        taken: dict[str, str | None] = {ref.key: None for ref in state.records}
        taken |= {attempt.ref.key: None for attempt in state.attempts.values()}
        taken |= {task.key: task.file for task in self._target.known.tasks}
        self._batch.add_unknown(resources, taken)

    def _openings(self, candidates: Sequence[Candidate]) -> list[Opening]:
        client = self._ctx.client

        def read(candidate: Candidate) -> Opening:
            task = candidate.task
            try:
                return read_opening(client.events(task.org_name, task.id, page_size=50))
            except RemoteError as problem:
                if problem.status != 404:
                    raise
                return Opening(None)

        if not candidates:
            return []
        with ThreadPoolExecutor(self._ctx.connection.parallelism, "read") as pool:
            return list(pool.map(read, candidates))

    # Writing

    def _finish(self, append: Append | None) -> ImportReport:
        batch = self._batch
        made = added(self._target.before, self._target.name, batch.new) if batch.new else None
        if made is not None:
            self._protect(made)
            batch.diagnostics += self._target.warnings(made)
            batch.add_written(made.tasks)
        if not self._dry_run:
            if made is not None:
                self._target.write(made.content)
            if append is not None:
                identity, now = self._ctx.client.identity(), self._ctx.now()
                append(*map(Recorded, batch.records(identity, now)))
            if made is not None:
                batch.diagnostics += self._target.against_policy(made)
        return ImportReport(
            self._target.name,
            tuple(batch.tasks),
            tuple(batch.diagnostics),
            made.text if made is not None else "",
            self._dry_run,
            self._next_step(),
        )

    def _protect(self, made: Added) -> None:
        self._ctx.protect(made.tasks)
        if self._dry_run and any(task.sensitive for task in made.tasks):
            raise TaskctlError.of(Code.IMPORT_SENSITIVE, at=Place(self._target.name))

    def _next_step(self) -> str:
        if all(
            task.result in (ImportResult.SKIPPED, ImportResult.FAILED) for task in self._batch.tasks
        ):
            return ""
        usual = self._dry_run or self._target.is_usual()
        unknown = any(task.result is ImportResult.WRITTEN for task in self._batch.tasks)
        more = [] if usual else [self._target.name]
        return command_line("plan", *more, *(["--adopt", "all"] if unknown else []))


def _known_as(record: Record | None, task_id: str) -> tuple[SkipReason, str | None]:
    """What a task is to the key that has it, whose record may be lost, and the key's file."""
    if record is None:
        return SkipReason.REPLACING, None
    return SkipReason.RECORDED if record.task_id == task_id else SkipReason.FORMER, record.file


def _is_spoken_for(ref: TaskRef, state: State) -> bool:
    return ref in state.records or bool(state.attempts_for(ref))
