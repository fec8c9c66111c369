"""Which tasks have delivered what their manifests expect: done, or unmet.

Runs on the main thread, where a signal can stop a schema that would take forever.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.model import limits
from reconciler.model.canonical import ABSENT
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, error
from reconciler.model.expectation import Expectation
from reconciler.model.task import TaskRef
from reconciler.model.task_state import TaskState
from reconciler.model.value import replace
from reconciler.state.model import Record
from reconciler.tasks.results import result_of
from reconciler.tasks.status import TaskStatus

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
    file, or else one of those that are read without a PATH, which are at `paths` (empty: the
    default locations). Entries are not expanded."""

    def __init__(self, root: Path, paths: Sequence[str] = ()) -> None:
        self.problems: list[Diagnostic] = []
        self._root, self._paths = root, paths
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
        """The expectation; None if there is none, or if a manifest that may declare it is not
        valid, which is a problem if the task was created with one."""
        made = record.generated
        name = made.entry if made is not None else record.ref.key
        own = self._declared(record.file)
        if not record.expects:
            return own.expectations.get(name) if own is not None else None
        invalid = []
        for file in self._files_of(record):
            declared = self._declared(file)
            if declared is not None and declared.problems:
                invalid.append(file)
            elif declared is not None and name in declared.expectations:
                return declared.expectations[name]
        if invalid:
            ref = str(record.ref)
            self.problems.append(error(Code.UNKNOWN_EXPECTATION, ref=ref, file=invalid[0]))
        return None

    def _files_of(self, record: Record) -> Iterator[str]:
        """The manifests that may declare a task, its own first."""
        yield record.file
        own = self._declared(record.file)
        if own is None or not own.problems:
            yield from self._default_files()

    def _declared(self, file: str) -> Declared | None:
        if file not in self._files:
            from reconciler.manifest.expectations import Schemas, declared_in

            self._schemas = self._schemas or Schemas()
            self._files[file] = declared_in(file, self._root, self._schemas) if file else None
        return self._files[file]

    def _default_files(self) -> Sequence[str]:
        """The manifests that are read without a PATH, also those that cannot be read."""
        if self._others is None:
            from reconciler.manifest.discovery import Finder

            finder = Finder(self._root)
            finder.find(self._paths)
            unreadable = (problem.file for problem in finder.diagnostics)
            self._others = sorted({*finder.files, *filter(None, unreadable)})
        return self._others
