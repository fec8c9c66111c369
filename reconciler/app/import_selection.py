"""Which tasks of the service an import means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reconciler.model.diagnostics import error
from reconciler.model.errors import TaskctlError
from reconciler.model.options import parse_duration
from reconciler.model.task import Identity, RemoteTask
from reconciler.state.model import State

if TYPE_CHECKING:
    from reconciler.remote.client import Client


@dataclass(frozen=True, slots=True)
class Choice:
    """By their ids; or all that are seen, or (`mine`) that the token's user made, not older than
    `since` says (a date or a duration as the user wrote it)."""

    ids: tuple[str, ...] = ()
    mine: bool = False
    since: str | None = None


def chosen(client: Client, org_name: str, choice: Choice, now: datetime) -> list[RemoteTask]:
    """The tasks, oldest first. TaskctlError naming each id that is not there for this token."""
    if choice.ids:
        return _by_id(client, org_name, choice.ids)
    since = since_when(choice.since, now) if choice.since is not None else None
    user = client.identity()
    if choice.mine and not user.login:
        raise TaskctlError.of(
            "the service does not say who the token's user is, so none can be told to be theirs",
            "Name the tasks by their ids:\n    taskctl import TASK_ID... --write FILE",
        )
    found = {task.id: task for task in _listed(client, org_name, since)}
    return sorted(
        (task for task in found.values() if not choice.mine or _is_of(task, user)),
        key=lambda task: (task.created_at or now, task.id),
    )


def since_when(text: str, now: datetime) -> datetime:
    """`2026-11-01` (UTC), `2026-11-01T12:00:00Z`, or a duration back from now. TaskctlError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        pass
    else:
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    try:
        return now - parse_duration(text)
    except (TaskctlError, OverflowError):
        raise TaskctlError.of(
            f"{text!r} is neither a date nor a duration",
            "Write a day, as 2026-11-01, or how far back to go, as 30d or 12h.",
        ) from None


def not_of_attempts(tasks: Sequence[RemoteTask], state: State) -> None:
    """TaskctlError where an open attempt may have made one of the tasks: recorded for another key,
    it would be missing for the attempt's, and be made once more."""
    for _, attempt in sorted(state.attempts.items()):
        for task in tasks:
            if state.may_have_created(attempt, task):
                raise TaskctlError.of(
                    f"task {task.id} may be what the attempt to create {attempt.ref} made, whose"
                    " outcome is not known yet; nothing was imported",
                    "Let that be settled first, then import:\n    taskctl apply",
                )


def _by_id(client: Client, org_name: str, ids: Sequence[str]) -> list[RemoteTask]:
    found, missing = [], []
    for task_id in dict.fromkeys(ids):
        task = client.get_task(org_name, task_id)
        if task is None:
            missing.append(task_id)
        else:
            found.append(task)
    if missing:
        what = "there is no task {} in " + org_name + ", or this token may not see it"
        how = "Nothing was imported. Look up the id, name its organization with --org, or use a"
        raise TaskctlError(
            [error(what.format(i), f"{how}\ntoken of the user who made the task.") for i in missing]
        )
    return found


def _listed(client: Client, org_name: str, since: datetime | None) -> Iterator[RemoteTask]:
    for page in client.list_tasks(org_name):
        new = [t for t in page if since is None or t.created_at is None or t.created_at >= since]
        yield from new
        if page and not new:
            return


def _is_of(task: RemoteTask, user: Identity) -> bool:
    return task.creator_login == user.login
