"""A cache of read positions: events can only be read in ascending order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.remote.cache_file import KeptEntries
from reconciler.tasks.event_summary import EventSummary, summary_from_json, summary_to_json


@dataclass(frozen=True, slots=True)
class ReadPosition:
    """The summary of a task's events, and the token of the page with the last one (None: first
    page)."""

    summary: EventSummary
    token: str | None = None


class EventCache:
    """The read positions for one backend and user. Thread-safe."""

    def __init__(self, folder: Path, backend: str, caller: str) -> None:
        self._kept = KeptEntries(folder, "events", f"{backend}\n{caller}")
        self.save = self._kept.save

    def get(self, org_name: str, task_id: str) -> ReadPosition | None:
        entry = self._kept.get(f"{org_name}/{task_id}")
        summary = summary_from_json(entry)
        if summary is None:
            return None
        token = entry.get("token") if isinstance(entry, Mapping) else None
        return ReadPosition(summary, token if isinstance(token, str) else None)

    def put(self, org_name: str, task_id: str, position: ReadPosition) -> None:
        self._kept.put(
            f"{org_name}/{task_id}", {**summary_to_json(position.summary), "token": position.token}
        )
