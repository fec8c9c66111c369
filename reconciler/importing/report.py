"""What an import came to: plain values, for renderers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reconciler.model.diagnostics import Diagnostic


class Result(StrEnum):
    """`imported`: in a manifest and recorded; `written`: in a manifest, and no task is known for
    it; `skipped`: it was there already; `failed`: it could not be taken over."""

    IMPORTED = "imported"
    WRITTEN = "written"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Taken:
    """One task or resource. `why` says what there is to say of it; `sensitive` tasks show none."""

    key: str
    org_name: str | None
    result: Result
    task_id: str | None = None
    file: str | None = None
    line: int | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """`file` is the manifest; `manifest` what was, or would be, new in it. `next_step` is the
    command to go on with, empty where there is none."""

    file: str
    tasks: tuple[Taken, ...]
    diagnostics: tuple[Diagnostic, ...] = ()
    manifest: str = ""
    dry_run: bool = False
    next_step: str = ""

    def count(self, result: Result) -> int:
        return sum(task.result is result for task in self.tasks)
