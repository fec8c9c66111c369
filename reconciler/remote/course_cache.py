"""How far each task's events were read, and what they came to: they ascend and have no tail.

The file may be deleted at any time. It holds words of agents, so only its owner may read it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.follow.course import Course, from_json, to_json
from reconciler.scratch import make_scratch

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Mark:
    """What a task's events came to, and the token of the page that has the last of them (None:
    the first page)."""

    course: Course
    token: str | None = None


class CourseCache:
    """Of one backend and one caller, in `folder`: what one may see is not another's to read. A
    cache that cannot be read or written is done without. Safe to use from many threads."""

    def __init__(self, folder: Path, backend: str, caller: str) -> None:
        name = hashlib.sha256(f"{backend}\n{caller}".encode()).hexdigest()[:12]
        self._path = folder / f"events-{name}.json"
        self._kept: dict[str, Any] | None = None
        self._dirty = False

    def get(self, org_name: str, task_id: str) -> Mark | None:
        entry = self._load().get(f"{org_name}/{task_id}")
        course = from_json(entry)
        if course is None:
            return None
        token = entry.get("token") if isinstance(entry, Mapping) else None
        return Mark(course, token if isinstance(token, str) else None)

    def put(self, org_name: str, task_id: str, mark: Mark) -> None:
        entry = {**to_json(mark.course), "token": mark.token}
        kept = self._load()
        if kept.get(f"{org_name}/{task_id}") != entry:
            kept[f"{org_name}/{task_id}"] = entry
            self._dirty = True

    def save(self) -> None:
        if self._dirty:
            with contextlib.suppress(OSError):
                self._write()
            self._dirty = False

    def _write(self) -> None:
        make_scratch(self._path.parent)
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=self._path.name)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                json.dump({"version": _VERSION, "tasks": self._load()}, file)
            Path(name).replace(self._path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise

    def _load(self) -> dict[str, Any]:
        if self._kept is None:
            self._kept = _read(self._path)
        return self._kept


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict) or content.get("version") != _VERSION:
        return {}
    tasks = content.get("tasks")
    return tasks if isinstance(tasks, dict) else {}
