"""The result of an import."""

from __future__ import annotations

from enum import StrEnum

from reconciler.model.diagnostics import Diagnostic
from reconciler.model.value import Value


class ImportResult(StrEnum):
    """`imported`: in a manifest and recorded; `written`: in a manifest, its task is unknown;
    `skipped`: already known; `failed`: cannot be imported."""

    IMPORTED = "imported"
    WRITTEN = "written"
    SKIPPED = "skipped"
    FAILED = "failed"


class SkipReason(StrEnum):
    RECORDED = "recorded"
    REPLACED = "replaced"
    REPLACING = "replacing"
    KEY_TAKEN = "keyTaken"
    KEY_IN_USE = "keyInUse"
    OTHER_STATE = "otherState"
    OWN = "own"


class ImportedTask(Value, frozen=True):
    """The result for one task or resource; `why` is the reason if it was skipped."""

    key: str
    org_name: str | None
    result: ImportResult
    task_id: str | None = None
    file: str | None = None
    line: int | None = None
    why: SkipReason | None = None


class ImportReport(Value, frozen=True):
    """`file` is the manifest, `manifest` the text that was (or would be) added. `next_step` is a
    command, or empty. `organizations` are those whose tasks were listed."""

    file: str
    tasks: tuple[ImportedTask, ...]
    diagnostics: tuple[Diagnostic, ...] = ()
    manifest: str = ""
    dry_run: bool = False
    next_step: str = ""
    organizations: tuple[str, ...] = ()

    def count(self, result: ImportResult) -> int:
        return sum(task.result is result for task in self.tasks)
