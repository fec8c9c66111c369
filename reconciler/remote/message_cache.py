"""A cache of first messages, which never change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reconciler.model.task import FirstMessage
from reconciler.plan.view import TaskId
from reconciler.remote.cache_file import KeptEntries


class MessageCache:
    """The first messages of one backend."""

    def __init__(self, folder: Path, backend: str, scrub: Callable[[str], str] = str) -> None:
        """Messages that `scrub` changes contain the token and are not cached."""
        self._scrub = scrub
        self._kept = KeptEntries(folder, "first-messages", backend)
        self.save = self._kept.save

    def get(self, task: TaskId) -> FirstMessage | None:
        match self._kept.get(f"{task.org_name}/{task.id}"):
            case [str(mark), str(text), [*entities]] if all(type(e) is dict for e in entities):
                return FirstMessage(mark, text, tuple(entities))
        return None

    def put(self, task: TaskId, message: FirstMessage) -> None:
        if self._scrub(message.text) != message.text:
            return
        entry = [message.mark, message.text, list(message.entities)]
        self._kept.put(f"{task.org_name}/{task.id}", entry)
