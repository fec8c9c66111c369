"""Which tasks of the service an import means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reconciler.model.codes import Code
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
        raise TaskctlError.of(Code.IMPORT_MINE)
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
        raise TaskctlError.of(Code.INVALID_TIME, text=text) from None


def not_of_attempts(tasks: Sequence[RemoteTask], state: State) -> None:
    """TaskctlError where an open attempt may have made one of the tasks: recorded for another key,
    it would be missing for the attempt's, and be made once more."""
    for _, attempt in sorted(state.attempts.items()):
        for task in tasks:
            if state.may_have_created(attempt, task):
                said = error(Code.IMPORT_OPEN_ATTEMPT, task_id=task.id, ref=str(attempt.ref))
                raise TaskctlError([said])


def _by_id(client: Client, org_name: str, ids: Sequence[str]) -> list[RemoteTask]:
    found, missing = [], []
    for task_id in dict.fromkeys(ids):
        task = client.get_task(org_name, task_id)
        if task is None:
            missing.append(task_id)
        else:
            found.append(task)
    if missing:
        raise TaskctlError(
            [error(Code.NO_SUCH_TASK, "import", task_id=id_, org=org_name) for id_ in missing]
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
