"""What the commands after the create share: the recorded tasks, and the service to ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler import garbage
from reconciler.app.context import connect, find_backend, find_state, normal
from reconciler.cli.console.output import Output
from reconciler.cli.options.service import Connection
from reconciler.model.errors import TaskctlError
from reconciler.model.task import TaskRef
from reconciler.scratch import CACHE
from reconciler.state.edit import find
from reconciler.state.model import Record, State, is_in
from reconciler.tasks.status import Standing, TaskStatus, in_order

if TYPE_CHECKING:
    from reconciler.remote.client import Client
    from reconciler.remote.credentials import Backend
    from reconciler.remote.sessions import Following


@dataclass(frozen=True, slots=True)
class Watched:
    """The state as it was read, and the tasks at the service."""

    out: Output
    state: State
    client: Client
    following: Following
    parallelism: int

    def record(self, key: str) -> Record:
        """The record of one key. TaskctlError where there is none."""
        ref = find(self.state, key)
        record = self.state.records.get(ref)
        if record is None:
            raise TaskctlError.of(
                f"{ref}: the attempt to create it has no outcome yet, so no task is known",
                "See what became of it:\n    taskctl plan",
            )
        return record

    def statuses(self, refs: Sequence[TaskRef]) -> tuple[TaskStatus, ...]:
        """How the tasks stand now, those that need a person first. RemoteError."""
        records = [self.state.records[ref] for ref in refs if ref in self.state.records]
        found = self.following.statuses(records, self.parallelism)
        files = {attempt.ref: attempt.file for attempt in self.state.attempts.values()}
        unknown = [ref for ref in refs if ref not in self.state.records]
        found += [TaskStatus(ref, Standing.UNRESOLVED, files[ref]) for ref in unknown]
        return in_order(found)

    def former(self, refs: Sequence[TaskRef]) -> list[tuple[str, Mapping[str, Any]]]:
        """The tasks that keys had before they were replaced: the manifest, and what the service
        shows of each, nothing where it shows none. RemoteError."""
        records = [self.state.records[ref] for ref in refs if ref in self.state.records]
        known = [(record, task_id) for record in records for task_id in record.former]
        found = []
        for record, task_id in known:
            task = self.client.get_task(record.ref.org_name, task_id)
            found.append((record.file, task.raw if task is not None else {}))
        return found


@contextmanager
def watched(connection: Connection, out: Output) -> Iterator[Watched]:
    """Reads the state, which it neither locks nor writes, and connects. TaskctlError."""
    from reconciler.render.masking import secrets_in
    from reconciler.state.session import read_state

    backend = find_backend(connection, out)
    state = read_state(find_state(connection, backend, out), backend=backend.name)
    out.protect(secrets_in(state.records.values()) | secrets_in(state.attempts.values()))
    client = connect(backend, connection, out)
    garbage.resume()  # it may follow for days, and what fails leaves circles behind
    try:
        yield watching(out, state, client, backend, connection.parallelism)
    finally:
        client.close()


def watching(
    out: Output, state: State, client: Client, backend: Backend, parallelism: int
) -> Watched:
    """The tasks of a state that is read already, by a client that is there. RemoteError."""
    from reconciler.remote.event_cache import CourseCache
    from reconciler.remote.sessions import Following

    cache = CourseCache(out.common.path(CACHE), backend.name, repr(client.identity()))
    following = Following(client, cache, out.concealed)
    return Watched(out, state, client, following, parallelism)


def chosen(state: State, words: Sequence[str], out: Output) -> tuple[TaskRef, ...]:
    """The tasks that `PATH` and `KEY` mean, all that are known where there is none of them: a
    word that is a key is one, whatever file has its name. StateError for what is neither."""
    files = {attempt.ref: attempt.file for attempt in state.attempts.values()}
    files |= {ref: record.file for ref, record in state.records.items()}
    if not words:
        return tuple(sorted(files))
    found: set[TaskRef] = set()
    for word in words:
        keys = {ref for ref in files if word in (ref.key, str(ref))}
        inside = {ref for ref, file in files.items() if is_in(file, [normal(word)])}
        if len(keys) == 1 or not (keys or inside or out.common.path(word).exists()):
            found.add(find(state, word))
        elif keys:
            find(state, word)  # says that it is in several organizations
        elif not inside:
            out.note(f"note: no task is recorded from {word}")
        found |= set() if keys else inside
    return tuple(sorted(found))


def not_visible_error(tasks: Watched, record: Record) -> TaskctlError:
    """The service shows no such task: gone, or somebody else's."""
    from reconciler.tasks.refusals import Refusal, Told, problem

    told = Told(record.ref, "", record.identity, tasks.client.identity())
    return TaskctlError([problem(Refusal(404, ""), told)])
