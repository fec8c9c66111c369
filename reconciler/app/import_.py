"""What `taskctl import` does, from the choice of tasks to the records.

All is read before anything is written. Then the manifest is made durable, and only then are the
records: whatever dies in between leaves a manifest whose `taskID`s the next plan adopts, and the
next import records.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.app.context import connect, find_organization, find_place, utcnow
from reconciler.app.import_selection import Choice, chosen, not_of_attempts
from reconciler.app.import_target import Target, content_of
from reconciler.cli.console.output import Output
from reconciler.cli.options.service import Connection
from reconciler.importing.batch import Batch, Candidate, claims
from reconciler.importing.existing import Opening, opening_of
from reconciler.importing.keys import Keys
from reconciler.importing.report import ImportReport, Result, Taken
from reconciler.manifest.discovery import shown_name
from reconciler.manifest.insertion import Added, added
from reconciler.model.diagnostics import error, has_errors
from reconciler.model.errors import RemoteError, TaskctlError
from reconciler.model.task import TaskRef
from reconciler.state.model import Record, Recorded, State

if TYPE_CHECKING:
    from reconciler.importing.pulumi import Resource
    from reconciler.remote.client import Client

Append = Callable[..., None]


class Importing:
    """One run. `file` is the manifest as the user named it; `dry_run` writes nothing."""

    def __init__(self, out: Output, connection: Connection, file: str, *, dry_run: bool) -> None:
        self._out, self._connection = out, connection
        self._target = Target(out, file)
        self._dry_run = dry_run
        self._batch = Batch(Keys(()), self._target.hides_prompts())
        self._origin = ""

    def tell(self, report: ImportReport) -> int:
        """Says what it came to; the exit code, 1 where something could not be taken over."""
        from reconciler.render.import_report import import_document, import_text, summary
        from reconciler.render.json import dump

        out = self._out
        if out.common.format == "json":
            out.document(dump(import_document(report)))
        else:
            out.diagnostics(report.diagnostics)
            if report.dry_run:
                out.document(report.manifest)
                would = "It would be: " if report.manifest else ""
                out.note(f"Nothing was written. {would}{summary(report)}")
            elif not out.common.quiet:
                out.document(import_text(report, out.style_of_result()))
                if report.next_step:
                    out.note(f"Next: {report.next_step}")
        return int(has_errors(report.diagnostics))

    def of_service(self, choice: Choice) -> ImportReport:
        """Takes over tasks that the service shows. TaskctlError."""
        with self._service() as (client, org_name, state, append):
            tasks = chosen(client, org_name, choice, client.service_clock() or utcnow())
            self._take([Candidate(task) for task in tasks], client, state)
            return self._finish(client, append)

    def of_program(self, file: str) -> ImportReport:
        """Takes over what a Pulumi program or stack holds. The service is asked for tasks whose
        ids are known, and for nothing else. TaskctlError."""
        from reconciler.importing.pulumi import read_program

        self._origin = "<stdin>" if file == "-" else shown_name(self._out.common.root, file)
        place = self._out.common.path(file)
        content = sys.stdin.buffer.read() if file == "-" else content_of(place, self._origin)
        if content is None:
            raise TaskctlError.of("there is no such file", file=self._origin)
        program = read_program(content, self._origin)
        self._batch.diagnostics += program.diagnostics
        self._batch.told += [Taken(name, None, Result.FAILED) for name in program.failed]
        known = [resource for resource in program.resources if resource.task_id is not None]
        unknown = [resource for resource in program.resources if resource.task_id is None]
        if not known:
            state = self._read_state()
            self._batch.keys = self._target.keys(state)
            self._take_unknown(unknown, state)
            return self._finish(None, lambda *_: None)
        with self._service() as (client, org_name, state, append):
            self._take(self._seen(known, client, org_name), client, state)
            self._take_unknown(unknown, state)
            return self._finish(client, append)

    @contextmanager
    def _service(self) -> Iterator[tuple[Client, str, State, Append]]:
        from reconciler.state.session import Session, read_state

        backend, path = find_place(self._connection, self._out)
        client = connect(backend, self._connection, self._out)
        with closing(client):
            client.identity()
            org_name = find_organization(self._connection, backend, client, self._out)
            self._target.in_org(org_name)
            if self._dry_run:
                state = read_state(path, backend=backend.name)
                self._batch.keys = self._target.keys(state)
                yield client, org_name, state, lambda *_: None
                return
            with Session.open(
                path,
                backend=backend.name,
                lock_timeout=self._connection.lock_timeout,
                purpose="import",
                waiting=self._out.note,
            ) as session:
                self._batch.keys = self._target.keys(session.state)
                yield client, org_name, session.state, session.append

    def _read_state(self) -> State:
        from reconciler.state.session import read_state

        backend, path = find_place(self._connection, self._out)
        return read_state(path, backend=backend.name)

    # What is to be written

    def _seen(
        self, resources: Sequence[Resource], client: Client, org_name: str
    ) -> list[Candidate]:
        """Those that this token sees; the others are errors."""
        found = []
        for resource in resources:
            task = client.get_task(resource.org_name or org_name, resource.task_id or "")
            if task is not None:
                found.append(Candidate(task, resource))
                continue
            what = f"{resource.name}: there is no task {resource.task_id} that this token sees"
            self._batch.diagnostics.append(
                error(what, file=self._origin, line=resource.line, column=resource.column)
            )
            self._batch.told.append(
                Taken(resource.name, resource.org_name, Result.FAILED, resource.task_id)
            )
        return found

    def _take(self, candidates: Sequence[Candidate], client: Client, state: State) -> None:
        """Those that are in no manifest are read and taken; the others are told of."""
        batch, recorded = self._batch, state.recorded_ids()
        new: dict[str, Candidate] = {}
        for candidate in candidates:
            task = candidate.task
            ref, listed = recorded.get(task.id), self._target.listed(task)
            if ref is not None:
                why, file = _known_as(state.records.get(ref), task.id)
                batch.skip(task, ref.key, why, file)
            elif listed is not None and _is_spoken_for(TaskRef(task.org_name, listed.key), state):
                batch.skip(task, listed.key, "another task is its key's", listed.file)
            elif listed is not None:
                not_of_attempts([task], state)
                batch.take_listed(listed, task)
            else:
                new.setdefault(task.id, candidate)
        not_of_attempts([candidate.task for candidate in new.values()], state)
        openings = self._openings(list(new.values()), client)
        read = list(zip(new.values(), openings, strict=True))
        waiting = self._target.waiting(state)
        taken = claims([(c.task, o) for c, o in read], waiting, client.identity())
        for candidate, opening in read:
            listed = taken.get(candidate.task.id)
            if listed is not None:
                batch.take_listed(listed, candidate.task)
            else:
                batch.take(candidate, opening)

    def _take_unknown(self, resources: Sequence[Resource], state: State) -> None:
        taken = {task.key: f"{task.file}:{task.line}" for task in self._target.known.tasks}
        taken |= {ref.key: "the state" for ref in state.records}
        taken |= {attempt.ref.key: "the state" for attempt in state.attempts.values()}
        self._batch.take_unknown(resources, taken)

    def _openings(self, candidates: Sequence[Candidate], client: Client) -> list[Opening]:
        def read(candidate: Candidate) -> Opening:
            task = candidate.task
            try:
                found = opening_of(client.events(task.org_name, task.id, page_size=50))
            except RemoteError as problem:
                if problem.status != 404:
                    raise
                return Opening(None)
            shown = json.dumps(found.message, ensure_ascii=False)
            return replace(found, holds_token=client.scrub(shown) != shown)

        if not candidates:
            return []
        with ThreadPoolExecutor(self._connection.parallelism, "read") as pool:
            return list(pool.map(read, candidates))

    # Writing

    def _finish(self, client: Client | None, append: Append) -> ImportReport:
        batch = self._batch
        made = added(self._target.before, self._target.name, batch.new) if batch.new else None
        if made is not None:
            self._protect(made)
            batch.diagnostics += self._target.warnings(made)
            batch.written(made.tasks)
        if not self._dry_run:
            if made is not None:
                self._target.write(made.content)
            if client is not None:
                now = client.service_clock() or utcnow()
                append(*map(Recorded, batch.records(client.identity(), now)))
            if made is not None:
                batch.diagnostics += self._target.against_policy(made)
        return ImportReport(
            self._target.name,
            tuple(batch.told),
            tuple(batch.diagnostics),
            made.text if made is not None else "",
            self._dry_run,
            self._next_step(),
        )

    def _protect(self, made: Added) -> None:
        if any(task.sensitive for task in made.tasks):
            from reconciler.render.masking import secrets_in

            self._out.protect(secrets_in(made.tasks))
            if self._dry_run:
                raise TaskctlError.of(
                    "the manifest's defaults say `sensitive`, so its new tasks cannot be shown",
                    "Write them, and look at the file:\n    taskctl import ... --write FILE",
                    file=self._target.name,
                )

    def _next_step(self) -> str:
        if all(task.result in (Result.SKIPPED, Result.FAILED) for task in self._batch.told):
            return ""
        usual = self._dry_run or self._target.is_usual()
        unknown = any(task.result is Result.WRITTEN for task in self._batch.told)
        words = ["taskctl plan", *([] if usual else [shlex.quote(self._target.name)])]
        return " ".join([*words, *(["--adopt all"] if unknown else [])])


def _known_as(record: Record | None, task_id: str) -> tuple[str, str | None]:
    """What a task is to the key that has it, whose record may be lost, and the key's file."""
    if record is None:
        return "an open attempt is to replace it", None
    why = "recorded already" if record.task_id == task_id else "its key's former task"
    return why, record.file


def _is_spoken_for(ref: TaskRef, state: State) -> bool:
    return ref in state.records or bool(state.attempts_for(ref))
