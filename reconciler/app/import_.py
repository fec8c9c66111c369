"""`import`: existing tasks become manifest entries and records.

Everything is read before anything is written. Then the manifest is made durable, and then the
records: a run that is killed in between leaves a manifest whose `taskID`s the next plan adopts, and
the next import records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from reconciler.app.context import Context
from reconciler.app.import_target import Target, read_content
from reconciler.importing.batch import Batch, Candidate, Keys
from reconciler.importing.declaration import Opening, has_other_prompt, prompt_of, read_opening
from reconciler.importing.pulumi import Resource, read_program
from reconciler.importing.report import ImportedTask, ImportReport, ImportResult, SkipReason
from reconciler.manifest.discovery import shown_name
from reconciler.manifest.insertion import insert
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, RemoteError, TaskctlError, error, warning
from reconciler.model.kept import Kept
from reconciler.model.options import parse_duration
from reconciler.model.remarks import RemarkError
from reconciler.model.service import RemoteTask
from reconciler.model.shell import command_line
from reconciler.model.task import TaskRef
from reconciler.model.value import Value, replace
from reconciler.model.wire import named_task
from reconciler.model.work import comparable_text
from reconciler.state.edit import known_refs, record_named
from reconciler.state.model import State

if TYPE_CHECKING:
    from reconciler.remote.client import Client
    from reconciler.state.session import Session


class ImportSelection(Value, frozen=True):
    """The tasks with these IDs; without IDs, all tasks that are visible to the token or (`mine`)
    that its user created, not older than `since` (a date or a duration). An ID may be `ORG/ID`, or
    the address of the task's web page."""

    ids: tuple[str, ...] = ()
    mine: bool = False
    since: str | None = None


def import_tasks(
    ctx: Context, file: str, selection: ImportSelection, *, dry_run: bool = False
) -> ImportReport:
    """Imports tasks of the service into the manifest `file`. `dry_run` writes nothing. Raises
    TaskctlError."""
    return _Import(ctx, file, dry_run=dry_run).import_from_service(selection)


def import_program(
    ctx: Context, file: str, program: str, stdin: bytes, *, dry_run: bool = False
) -> ImportReport:
    """Imports the tasks of a Pulumi program or stack export, a file or `-` for `stdin`. Those
    without an ID are found by their prompts, if exactly one task of this user has the prompt.
    Raises TaskctlError."""
    return _Import(ctx, file, dry_run=dry_run).import_from_program(program, stdin)


class _Import:
    def __init__(self, ctx: Context, file: str, *, dry_run: bool) -> None:
        self._ctx = ctx
        self._target = Target(ctx, file)
        self._dry_run = dry_run
        self._batch = Batch(Keys(()))
        self._origin = ""

    def import_from_service(self, selection: ImportSelection) -> ImportReport:
        ctx = self._ctx
        with self._open() as (state, session):
            tasks = _select(ctx.client, self._organization, selection, ctx.now())
            self._add([Candidate(task) for task in tasks], state, is_chosen=bool(selection.ids))
            return self._finish(session, () if selection.ids else (self._organization,))

    def import_from_program(self, file: str, stdin: bytes) -> ImportReport:
        settings = self._ctx.settings
        self._origin = "<stdin>" if file == "-" else shown_name(settings.folder, file)
        content = stdin if file == "-" else read_content(settings.path(file), self._origin)
        if content is None:
            raise TaskctlError.of(Code.UNREADABLE_FILE, "program", at=Place(self._origin))
        program = read_program(content, self._origin)
        self._batch.diagnostics += program.diagnostics
        self._batch.tasks += [
            ImportedTask(name, None, ImportResult.FAILED) for name in program.failed
        ]
        known = [resource for resource in program.resources if resource.task_id is not None]
        unknown = [resource for resource in program.resources if resource.task_id is None]
        with self._open() as (state, session):
            found = [*self._find_visible(known), *self._find_by_prompt(unknown, state)]
            self._add(found, state, is_chosen=True)
            matched = {each.resource.name for each in found if each.resource is not None}
            self._add_unknown([r for r in unknown if r.name not in matched], state)
            return self._finish(session)

    @cached_property
    def _organization(self) -> str:
        """The organization of the option, of the manifests if they agree, or the default. Raises
        TaskctlError if there is none."""
        ctx, known = self._ctx, self._target.known.organizations
        if ctx.connection.org is None and len(known) == 1 and (org := next(iter(known))):
            ctx.ui.detail("organization", value=org, source="manifests")
            return org
        return ctx.organization

    @contextmanager
    def _open(self) -> Iterator[tuple[State, Session | None]]:
        """The state, and the session that records tasks, except in a dry run."""
        ctx, session = self._ctx, None
        ctx.client.identity()
        self._target.in_org(self._organization)
        with ExitStack() as stack:
            if not self._dry_run:
                session = stack.enter_context(ctx.open_state("import"))
            state = session.state if session is not None else ctx.read_state()
            self._batch.keys = self._target.keys(state)
            yield state, session

    # The entries to write

    def _find_visible(self, resources: Sequence[Resource]) -> list[Candidate]:
        """The candidates that are visible to this token; reports the others as errors."""
        found = []
        for resource in resources:
            org_name = resource.org_name or self._organization
            task = self._ctx.client.get_task(org_name, resource.task_id or "")
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

    def _find_by_prompt(self, resources: Sequence[Resource], state: State) -> list[Candidate]:
        """The candidates for resources without an ID: the only task of this user, without a
        reference, that has the prompt."""
        by_prompt: dict[tuple[str, str], list[Resource]] = {}
        for resource in resources:
            if text := prompt_of(resource):
                org_name = resource.org_name or self._organization
                by_prompt.setdefault((org_name, text), []).append(resource)
        found: dict[tuple[str, str], list[RemoteTask]] = {}
        known = state.recorded_ids()
        for org_name in sorted({org_name for org_name, _ in by_prompt}):
            mine = ImportSelection(mine=True)
            tasks = _select(self._ctx.client, org_name, mine, self._ctx.now())
            candidates = [Candidate(task) for task in tasks if task.id not in known]
            for each, opening in zip(candidates, self._read_openings(candidates), strict=True):
                if opening.reference is None:
                    key = (org_name, comparable_text(opening.text))
                    found.setdefault(key, []).append(each.task)
        return [
            Candidate(found[key][0], same[0])
            for key, same in by_prompt.items()
            if len(same) == 1 and len(found.get(key, ())) == 1
        ]

    def _add(self, candidates: Sequence[Candidate], state: State, *, is_chosen: bool) -> None:
        """Reads and adds the candidates that are in no manifest; reports the others. Unless they
        were chosen one by one, tasks that say which key they are for are skipped."""
        batch, recorded, recorded_keys = self._batch, state.recorded_ids(), known_refs(state)
        new: dict[str, Candidate] = {}
        for candidate in candidates:
            task = candidate.task
            ref, listed = recorded.get(task.id), self._target.declaration(task)
            if ref is not None and not state.is_removed(task.id):
                why, file = _reason_to_skip(ref, task.id, state)
                batch.skip(ref.key, task.org_name, why, task.id, file)
            elif listed is not None and TaskRef(task.org_name, listed.key) in recorded_keys:
                batch.skip(listed.key, task.org_name, SkipReason.KEY_TAKEN, task.id, listed.file)
            else:
                new.setdefault(task.id, candidate)
        left = []
        read = zip(new.values(), self._read_openings(list(new.values())), strict=True)
        for candidate, opening in read:
            task, reference = candidate.task, opening.reference
            _refuse_attempted(task, opening, state)
            if reference is not None and not is_chosen:
                why = SkipReason.OWN if state.is_ours(reference) else SkipReason.OTHER_STATE
                batch.skip(reference.key, task.org_name, why, task.id)
            elif (listed := self._target.declaration(task)) is not None:
                batch.add_listed(listed, task)
            else:
                self._compare_prompts(candidate, opening)
                left.append((candidate, opening))
        batch.add(left)

    def _compare_prompts(self, candidate: Candidate, opening: Opening) -> None:
        """Warns if the prompts of the program and its task differ: the provider may have started
        another agent for it, which it has not recorded."""
        task, resource = candidate.task, candidate.resource
        if resource is None or not has_other_prompt(resource, opening):
            return
        at = Place(self._origin, resource.line, resource.column)
        since = f"{task.created_at.astimezone(UTC):%Y-%m-%d}" if task.created_at else "30d"
        facts = {"name": resource.name, "task_id": task.id, "since": since}
        self._batch.diagnostics.append(warning(Code.IMPORT_OTHER_PROMPT, at=at, **facts))

    def _add_unknown(self, resources: Sequence[Resource], state: State) -> None:
        taken: dict[str, str | None] = {ref.key: None for ref in known_refs(state)}
        taken |= {task.key: task.file for task in self._target.known.tasks}
        self._batch.add_unknown(resources, taken)

    def _read_openings(self, candidates: Sequence[Candidate]) -> list[Opening]:
        client, kept = self._ctx.client, Kept("import")

        def read(candidate: Candidate) -> Opening:
            task = candidate.task
            kept.check()  # before another read
            try:
                opening = read_opening(client.events(task.org_name, task.id, page_size=50))
            except RemoteError as problem:
                if problem.status != 404:
                    raise
                return Opening(None)
            kept.keep(opening)
            return opening

        if not candidates:
            return []
        with ThreadPoolExecutor(self._ctx.connection.parallelism, "read") as pool:
            return list(pool.map(read, candidates))

    # Writing

    def _finish(self, session: Session | None, read: tuple[str, ...] = ()) -> ImportReport:
        batch = self._batch
        made = insert(self._target.before, self._target.name, batch.new) if batch.new else None
        if made is not None:
            batch.diagnostics += made.diagnostics
            batch.add_written(made.tasks)
        if not self._dry_run:
            if made is not None:
                self._target.write(made.content)
            if session is not None:
                self._record(session)
        return ImportReport(
            self._target.name,
            tuple(batch.tasks),
            tuple(batch.diagnostics),
            made.text if made is not None else "",
            self._dry_run,
            self._next_step(),
            read,
        )

    def _record(self, session: Session) -> None:
        ctx, state = self._ctx, session.state
        for record in self._batch.records(ctx.client.identity(), ctx.now()):
            number = session.next_reference(record.ref.key).number
            session.append(*record_named(state, replace(record, number=number)))

    def _next_step(self) -> str:
        results = {task.result for task in self._batch.tasks}
        if results <= {ImportResult.SKIPPED, ImportResult.FAILED}:
            return ""
        paths = [] if self._dry_run or self._target.is_default() else [self._target.name]
        return command_line("plan", *map(self._ctx.settings.typed, paths))


def _reason_to_skip(ref: TaskRef, task_id: str, state: State) -> tuple[SkipReason, str | None]:
    """The reason why a task that already has a key is skipped, and the file of that key."""
    record = state.records.get(ref)
    if record is None:
        return SkipReason.REPLACING, None
    return SkipReason.RECORDED if record.task_id == task_id else SkipReason.REPLACED, record.file


def _refuse_attempted(task: RemoteTask, opening: Opening, state: State) -> None:
    """Raises TaskctlError if an open attempt has created the task, or may have: if it were recorded
    for another key, the key of the attempt would get a second task."""
    shown = "" if opening.reference is None else str(opening.reference)
    for _, attempt in sorted(state.attempts.items()):
        is_unclear = opening.message is None and attempt.ref.org_name == task.org_name
        if is_unclear or attempt.reference == shown:
            ref = str(attempt.ref)
            raise TaskctlError.of(Code.IMPORT_OPEN_ATTEMPT, task_id=task.id, ref=ref)


def _select(
    client: Client, org_name: str, selection: ImportSelection, now: datetime
) -> list[RemoteTask]:
    """The tasks, oldest first. Raises TaskctlError with each ID that is not visible to the
    token."""
    if selection.ids:
        named = (named_task(client.backend, text) or (org_name, text) for text in selection.ids)
        tasks = {(org, id_): client.get_task(org, id_) for org, id_ in dict.fromkeys(named)}
        if missing := [names for names, task in tasks.items() if task is None]:
            raise TaskctlError(
                [error(Code.NO_SUCH_TASK, "import", task_id=id_, org=org) for org, id_ in missing]
            )
        return [task for task in tasks.values() if task is not None]
    since = _since(selection.since, now) if selection.since is not None else None
    login = client.identity().login
    if selection.mine and not login:
        raise TaskctlError.of(Code.IMPORT_MINE)
    found = {task.id: task for task in _list(client, org_name, since)}
    return sorted(
        (task for task in found.values() if not selection.mine or task.creator_login == login),
        key=lambda task: (task.created_at or now, task.id),
    )


def _list(client: Client, org_name: str, since: datetime | None) -> Iterator[RemoteTask]:
    kept = Kept("import")
    for page in client.list_tasks(org_name):
        if page.problem is not None:
            raise RemoteError([page.problem])
        new = [t for t in page if since is None or t.created_at is None or t.created_at >= since]
        for task in new:
            kept.keep(task.raw)
            yield task
        if page.tasks and not new:
            return


def _since(text: str, now: datetime) -> datetime:
    """The time of a `--since`: `2026-11-01` (UTC), `2026-11-01T12:00:00Z`, or a duration before
    `now`. Raises TaskctlError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        pass
    else:
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    try:
        return now - parse_duration(text)
    except (RemarkError, OverflowError):
        raise TaskctlError.of(Code.INVALID_TIME, text=text) from None
