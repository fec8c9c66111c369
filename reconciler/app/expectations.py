"""Which tasks have delivered what their manifests expect: done, or unmet.

Runs on the main thread, where a signal can stop a schema that would take forever.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import limits
from reconciler.model.canonical import ABSENT
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, error
from reconciler.model.expectation import Expectation
from reconciler.model.task import TaskRef
from reconciler.model.value import replace
from reconciler.state.model import Record
from reconciler.tasks.results import result_of
from reconciler.tasks.status import TaskState, TaskStatus

if TYPE_CHECKING:
    from reconciler.manifest.expectations import Declared, Schemas


@dataclass(slots=True)
class Evaluation:
    """Evaluates results, each once. `seconds` are left for all of them."""

    seconds: float = limits.RESULTS_SECONDS
    _known: dict[tuple[TaskRef, str, str], tuple[Diagnostic, ...]] = field(default_factory=dict)

    def of(self, status: TaskStatus, expect: Expectation | None) -> TaskStatus:
        """The status; unmet if the task has finished without what is expected."""
        if expect is None or status.state is not TaskState.DONE:
            return status
        key = (status.ref, f"{status.task_id} {status.summary.event_id}", expect.digest)
        if key not in self._known:
            self._known[key] = self._reasons(status, expect)
        unmet = self._known[key]
        return replace(status, state=TaskState.UNMET, unmet=unmet) if unmet else status

    def _reasons(self, status: TaskStatus, expect: Expectation) -> tuple[Diagnostic, ...]:
        from reconciler.manifest.expectations import reasons

        result, ref, at = result_of(status), str(status.ref), replace(expect.at, key=status.ref.key)
        found = []
        count, least = len(result.pull_requests), expect.pull_requests
        if count < least:
            code = Code.MISSING_PULL_REQUESTS
            found.append(error(code, at=at, ref=ref, count=count, least=least))
        if expect.data is None:
            return tuple(found)
        if result.data is ABSENT:
            case = result.no_data.value if result.no_data is not None else "missing"
            return (*found, error(Code.MISSING_DATA, case, at=at, ref=ref))
        if self.seconds <= 0:
            limit = f"{limits.RESULTS_SECONDS:g}"
            return (*found, error(Code.INVALID_RESULT, "notReached", at=at, ref=ref, limit=limit))
        begun = time.process_time()
        wrong = reasons(expect.data, result.data, limits.RESULT_SECONDS)
        self.seconds -= time.process_time() - begun
        found += [error(Code.INVALID_RESULT, case, at=at, ref=ref, **f) for case, f in wrong]
        return tuple(found)


def is_unreached(status: TaskStatus) -> bool:
    """Whether it was not evaluated, because others took too long."""
    return any(reason.case == "notReached" for reason in status.unmet)


class Expectations:
    """Finds the expectations of recorded tasks in the manifests that declare them now: the recorded
    file, or else one of those that are read without a PATH. Entries are not expanded."""

    def __init__(self, root: Path) -> None:
        self.problems: list[Diagnostic] = []
        self._root = root
        self._files: dict[str, Declared | None] = {}
        self._others: Sequence[str] | None = None
        self._schemas: Schemas | None = None
        self._evaluation = Evaluation()

    def evaluate(
        self, statuses: Iterable[TaskStatus], records: Iterable[Record]
    ) -> list[TaskStatus]:
        """The statuses; `problems` are those of manifests that cannot be read."""
        by_ref = {record.ref: record for record in records}
        return [
            self._evaluation.of(status, self._find(by_ref[status.ref]))
            if status.state is TaskState.DONE and status.ref in by_ref
            else status
            for status in statuses
        ]

    def _find(self, record: Record) -> Expectation | None:
        made = record.generated
        name = made.entry if made is not None else record.ref.key
        declared = self._declared(record.file)
        if declared is not None and declared.problems and record.expects:
            ref, file = str(record.ref), record.file
            self.problems.append(error(Code.UNKNOWN_EXPECTATION, ref=ref, file=file))
            return None
        if declared is not None and name in declared.expectations:
            return declared.expectations[name]
        if not record.expects:
            return None
        for file in self._default_files():
            other = self._declared(file)
            if other is not None and name in other.expectations:
                return other.expectations[name]
        return None

    def _declared(self, file: str) -> Declared | None:
        if file not in self._files:
            from reconciler.manifest.expectations import Schemas, declared_in

            self._schemas = self._schemas or Schemas()
            self._files[file] = declared_in(file, self._root, self._schemas) if file else None
        return self._files[file]

    def _default_files(self) -> Sequence[str]:
        if self._others is None:
            from reconciler.manifest.discovery import Finder

            finder = Finder(self._root)
            finder.find(())
            self._others = sorted(finder.files)
        return self._others
