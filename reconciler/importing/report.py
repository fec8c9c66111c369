"""The result of an import."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reconciler.model.diagnostics import Diagnostic


class ImportResult(StrEnum):
    """`imported`: in a manifest and recorded; `written`: in a manifest, without a known task;
    `skipped`: already there; `failed`: cannot be imported."""

    IMPORTED = "imported"
    WRITTEN = "written"
    SKIPPED = "skipped"
    FAILED = "failed"


class Why(StrEnum):
    """Why a task was skipped."""

    RECORDED = "already recorded"
    FORMER = "replaced by another task of this key"
    REPLACING = "about to be replaced by an unresolved attempt"
    KEY_TAKEN = "its key has another task"
    KEY_IN_USE = "key already in use"


@dataclass(frozen=True, slots=True)
class Taken:
    """One task or resource, and why it was skipped."""

    key: str
    org_name: str | None
    result: ImportResult
    task_id: str | None = None
    file: str | None = None
    line: int | None = None
    why: Why | None = None


@dataclass(frozen=True, slots=True)
class ImportReport:
    """`file` is the manifest, `manifest` the text that was (or would be) added. `next_step` is a
    command, or empty."""

    file: str
    tasks: tuple[Taken, ...]
    diagnostics: tuple[Diagnostic, ...] = ()
    manifest: str = ""
    dry_run: bool = False
    next_step: str = ""

    def count(self, result: ImportResult) -> int:
        return sum(task.result is result for task in self.tasks)
