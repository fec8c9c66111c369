"""What telling a task something has in common: see what it is answered to, ask, send, say so."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from reconciler.app.context import utcnow
from reconciler.app.task_sessions import Watched, not_visible_error
from reconciler.cli.console.output import Output, say
from reconciler.model.errors import TaskctlError
from reconciler.model.task import rfc3339
from reconciler.state.model import Record
from reconciler.tasks.events import Approval, body_of, is_users
from reconciler.tasks.refusals import Lost, Outcome, Refusal, Sent, Told, problem
from reconciler.tasks.status import Standing, TaskStatus

if TYPE_CHECKING:
    from reconciler.tasks.events import Event


@dataclass(frozen=True, slots=True)
class Addressed:
    """One task to be told something, and how it stands."""

    tasks: Watched
    record: Record
    status: TaskStatus

    @property
    def out(self) -> Output:
        return self.tasks.out

    @property
    def name(self) -> str:
        return str(self.record.ref)

    def approval(self, request_id: str | None) -> Approval:
        """The request to answer: the one there is, or the one of that id. TaskctlError."""
        found = [one for one in self.status.approvals if request_id in (None, one.id)]
        if len(found) == 1:
            return found[0]
        if found:
            listed = "\n".join(f"  --request {shlex.quote(one.id)}" for one in found)
            raise TaskctlError.of(
                f"{self.name}: {len(found)} requests wait for an answer",
                "See them, and name the one that is meant:\n"
                f"    taskctl logs {self.name}\n{listed}",
            )
        raise self._nothing_to_answer(request_id)

    def _nothing_to_answer(self, request_id: str | None) -> TaskctlError:
        if request_id is not None and self.status.approvals:
            what = f"no request {request_id} waits for an answer"
        elif self.status.standing is Standing.WAITING:
            what = "it waits for input, but for no approval that its events show"
        else:
            what = f"it waits for no approval: it is {self.status.standing.value}"
        page = f"\n    {self.status.url}" if self.status.url else ""
        return TaskctlError.of(
            f"{self.name}: {what}",
            f"Nothing was sent. See what was said:\n    taskctl logs {self.name}{page}",
        )

    def event(self, kind: str, **members: Any) -> dict[str, Any]:
        """An event of the user's, marked by its time."""
        return {"type": kind, "timestamp": rfc3339(utcnow()), **members}

    def respond(self, event: Mapping[str, Any], what: str) -> None:
        """Sends an event, once; TaskctlError where the task did not take it, or may not have."""
        ref = self.record.ref
        outcome = self.tasks.following.respond(ref.org_name, self.record.task_id, event)
        if isinstance(outcome, Lost) and self._was_told(event["timestamp"]):
            outcome = Sent()
        self.judge(outcome, what)

    def judge(self, outcome: Outcome, what: str, *, forced: bool = False) -> None:
        """TaskctlError for every outcome but Sent."""
        if isinstance(outcome, Sent):
            return
        if forced and isinstance(outcome, Refusal) and outcome.status == 409:
            raise TaskctlError.of(
                f"{self.name}: its session was stopped, but it is not idle yet ({outcome.words})",
                f"Look again in a minute:\n    taskctl status {self.name}",
            )
        caller = self.tasks.client.identity()
        told = Told(self.record.ref, what, self.record.identity, caller)
        raise TaskctlError([problem(outcome, told)])

    def _was_told(self, mark: str) -> bool:
        """Whether the task's events hold what was sent, though no answer came."""
        ref = self.record.ref
        try:
            events = self.tasks.following.events(ref.org_name, self.record.task_id, None)[0]
        except TaskctlError:
            return False
        return _holds(events, mark)

    def done(self, words: str, **members: Any) -> int:
        """The result: a line, or a document."""
        out, ref = self.out, self.record.ref
        if out.common.format == "json":
            from reconciler.render.json import dump

            known = {"key": ref.key, "orgName": ref.org_name, "taskId": self.record.task_id}
            url = {"url": self.status.url}
            out.document(dump({"formatVersion": 1, "diagnostics": [], **known, **url, **members}))
        elif not out.common.quiet:
            from reconciler.render import safe

            out.document(f"{safe.line(self.name)}: {words}\n")
        return 0


def words(text: str, name: str) -> str:
    """What a person has to say, as it can be sent. UsageError for nothing, and for no text."""
    if not text.strip():
        raise click.UsageError(f"there is nothing to say: {name} is empty")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as problem:
        raise click.UsageError(
            f"{name} is not UTF-8, so the task would read it otherwise"
        ) from problem
    return text


def addressed(tasks: Watched, key: str, task_id: str | None = None) -> Addressed:
    """The task of a key, or the one of that id which the key had before. TaskctlError where there
    is none, or the service does not show it to this token."""
    record = tasks.record(key)
    if task_id is not None:
        record = _one_of(record, task_id)
    status = tasks.following.statuses([record], 1)[0]
    if status.standing in (Standing.GONE, Standing.NOT_VISIBLE):
        raise not_visible_error(tasks, record)
    return Addressed(tasks, record, status)


def _one_of(record: Record, task_id: str) -> Record:
    if task_id not in (record.task_id, *record.former):
        raise TaskctlError.of(
            f"{record.ref} never had a task {task_id}",
            f"Nothing was sent. See which it had:\n    taskctl show {record.ref}",
        )
    return replace(record, task_id=task_id)


def show_approval(task: Addressed, approval: Approval) -> None:
    """On stderr: what is about to be answered."""
    from reconciler.render import safe
    from reconciler.render.conversation import approval_rows

    rows = approval_rows(approval, task.out.style(sys.stderr))
    text = "".join(f"  {row}".rstrip() + "\n" for row in rows)
    say(safe.without_commands(f"{safe.line(task.name)} asks:\n{text}"))


def show_last_words(task: Addressed) -> None:
    """On stderr: how the task stands, and what it said last."""
    status = task.status
    words = f": {status.course.words}" if status.course.words else ""
    task.out.note(f"{task.name} is {status.standing.value}{words}")


def confirm(out: Output, question: str, *, yes: bool, otherwise: str) -> bool:
    """Whether to go on. TaskctlError where nobody can be asked; `otherwise` is what to run."""
    if yes:
        return True
    if not out.interactive():
        raise TaskctlError.of(
            "nothing was sent: there is no terminal to ask at",
            f"Say yes beforehand:\n    {otherwise}",
        )
    return out.ask(question)


def _holds(events: Iterable[Event], mark: str) -> bool:
    return any(is_users(event) and body_of(event).get("timestamp") == mark for event in events)
