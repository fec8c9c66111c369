"""First messages that were read, kept by task id: a first message never changes.

The file may be deleted at any time. It holds prompts, so only its owner may read it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from reconciler.model import FirstMessage
from reconciler.plan.view import TaskId
from reconciler.scratch import make_scratch

_VERSION = 1


class MessageCache:
    """Of one backend, in `folder`. A cache that cannot be read or written is done without."""

    def __init__(self, folder: Path, backend: str) -> None:
        name = hashlib.sha256(backend.encode()).hexdigest()[:12]
        self._path = folder / f"first-messages-{name}.json"
        self._messages: dict[str, Any] | None = None
        self._dirty = False

    def get(self, task: TaskId) -> FirstMessage | None:
        kept = self._load().get(f"{task.org_name}/{task.id}")
        return FirstMessage(kept[0], kept[1], tuple(kept[2])) if kept is not None else None

    def put(self, task: TaskId, message: FirstMessage) -> None:
        entry = [message.mark, message.text, list(message.entities)]
        self._load()[f"{task.org_name}/{task.id}"] = entry
        self._dirty = True

    def save(self) -> None:
        if not self._dirty:
            return
        with contextlib.suppress(OSError):
            self._write()
        self._dirty = False

    def _write(self) -> None:
        make_scratch(self._path.parent)
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=self._path.name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="surrogatepass") as file:
                json.dump({"version": _VERSION, "messages": self._load()}, file)
            Path(name).replace(self._path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise

    def _load(self) -> dict[str, Any]:
        if self._messages is None:
            self._messages = _read(self._path)
        return self._messages


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8", errors="surrogatepass"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict) or content.get("version") != _VERSION:
        return {}
    messages = content.get("messages")
    if not isinstance(messages, dict):
        return {}
    return {task: kept for task, kept in messages.items() if _is_entry(kept)}


def _is_entry(kept: object) -> bool:
    match kept:
        case [str(), str(), [*entities]]:
            return all(isinstance(entity, dict) for entity in entities)
    return False
