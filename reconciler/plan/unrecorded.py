"""The unrecorded tasks that missing tasks are compared with. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import NamedTuple

from reconciler.model.fields import IDENTIFYING
from reconciler.model.service import FirstMessage, RemoteTask
from reconciler.model.task import TaskId, TaskRef
from reconciler.model.work import REDACTED, comparable_text, message_of
from reconciler.plan.recovery import Owners
from reconciler.plan.view import RemoteView
from reconciler.state.model import State

_OLDEST = datetime.min.replace(tzinfo=UTC)


class LookAlike(NamedTuple):
    """An unrecorded task, and its first message. `is_own`: this user created it, and can see it.
    `owner`: the key whose mark it has. `former`: the key from which `state rm` removed it.
    `creator`: the login of another user who created it."""

    task: RemoteTask
    message: FirstMessage | None
    is_own: bool
    owner: TaskRef | None = None
    former: TaskRef | None = None
    creator: str | None = None


class UnrecordedTasks:
    """Unrecorded tasks by organization and text, newest first, tasks of other users last. Tasks
    that have a key are omitted, and so are those `adopted` in this plan."""

    def __init__(
        self, state: State, view: RemoteView, owners: Owners, adopted: Container[str]
    ) -> None:
        self.view, self._owners = view, owners
        self.unread: dict[str, list[LookAlike]] = {}
        self._by_text: dict[tuple[str, str], list[LookAlike]] = {}
        self._unclear: dict[str, list[LookAlike]] = {}
        self._removed = {t.task_id: t for t in state.retired.values() if t.adoptable}
        found = chain(view.tasks.values(), self._invisible())
        known = (owners.ids, owners.named, adopted)
        free = [task for task in found if not any(task.id in ids for ids in known)]
        free.sort(key=lambda t: (t.may_be_of(view.identity), t.created_at or _OLDEST, t.id))
        for task in reversed(free):
            self._add(task)

    def alike(self, org_name: str, text: str) -> Iterator[LookAlike]:
        """The tasks that may show this text."""
        yield from self._by_text.get((org_name, text), ())
        yield from self._unclear.get(org_name, ())

    def _invisible(self) -> Iterator[RemoteTask]:
        """The tasks that `state rm` removed and that this user cannot see. For their creator, they
        are gone."""
        for removed in self._removed.values():
            task_id = TaskId(removed.ref.org_name, removed.task_id)
            if task_id in self.view.absent and not self.view.identity.same_as(removed.identity):
                raw = {**removed.versions[0], **removed.outputs, "id": removed.task_id}
                yield RemoteTask(*task_id, raw)

    def _add(self, task: RemoteTask) -> None:
        view, task_id = self.view, TaskId(task.org_name, task.id)
        removed, owner = self._removed.get(task.id), self._owners.by_mark(task_id, view)
        if removed is not None:
            created, *accepted = removed.versions
            is_own = task_id in view.tasks and view.identity.same_as(removed.identity)
            message = view.messages.get(task_id) or message_of(created)
            self._put(LookAlike(task, message, is_own, owner, removed.ref))
            for inputs in accepted:
                settings = {name: inputs.get(name) for name in IDENTIFYING}
                other = RemoteTask(*task_id, {**task.raw, **settings})
                self._put(LookAlike(other, message_of(inputs), is_own, owner, removed.ref))
        elif not task.may_be_of(view.identity):
            if view.messages.get(task_id) is not None:
                shown, creator = view.messages[task_id], task.creator_login
                self._put(LookAlike(task, shown, is_own=False, owner=owner, creator=creator))
        elif task_id in view.unreadable:
            unread = LookAlike(task, None, is_own=False)
            self.unread.setdefault(task.org_name, []).append(unread)
        elif task_id in view.messages:
            is_own = task.is_of(view.identity)
            self._put(LookAlike(task, view.messages[task_id], is_own, owner))

    def _put(self, found: LookAlike) -> None:
        org_name, message = found.task.org_name, found.message
        if message is None or REDACTED in message.text:
            self._unclear.setdefault(org_name, []).append(found)
        else:
            text = (org_name, comparable_text(message.text))
            self._by_text.setdefault(text, []).append(found)
