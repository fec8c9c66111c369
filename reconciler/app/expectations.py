"""Whether tasks have delivered the results that their manifests expect: done, to merge, unmet, or
unknown.

Runs on the main thread, where a signal can stop a schema that would take forever.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from reconciler.manifest.discovery import FOLDER, LONE_SUFFIX, Finder, is_manifest_name
from reconciler.manifest.repository import is_hidden, path_inside, repository_root, resolved
from reconciler.model import limits
from reconciler.model.canonical import ABSENT, digest
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Violation, error
from reconciler.model.remarks import RemarkError
from reconciler.model.task import Expectation, TaskRef, natural
from reconciler.model.task_state import TaskState
from reconciler.model.value import replace
from reconciler.state.model import Record
from reconciler.system import disk
from reconciler.tasks import judgement
from reconciler.tasks.results import pull_requests, result_of
from reconciler.tasks.status import TaskStatus

if TYPE_CHECKING:
    from reconciler.manifest.expectations import DeclaredExpectations, Schemas
    from reconciler.manifest.files import NamedFiles
    from reconciler.manifest.tracked_files import TrackedFiles


class Verdict(NamedTuple):
    """The status of a task that has finished, and the reasons unless it is done."""

    state: TaskState = TaskState.DONE
    reasons: tuple[judgement.Shortfall, ...] = ()


class _Checker:
    """Checks answers against one schema, with one validator."""

    def __init__(self, schema: Mapping[str, object]) -> None:
        self._schema, self._timeouts = schema, 0
        self._names = frozenset(judgement.property_names(schema))
        self._violations: Callable[[object], Iterator[Violation]] | None = None

    def check(self, data: object) -> Verdict:
        """UNMET with reasons, or UNKNOWN if it takes too long; after a few times, a schema is not
        tried again."""
        from reconciler.manifest.policy import Timer

        limit = f"{limits.RESULT_SECONDS:g}"
        if self._timeouts >= limits.RESULT_TIMEOUTS:
            facts = {"limit": limit, "count": self._timeouts}
            return Verdict(TaskState.UNKNOWN, ((Code.UNKNOWN_RESULT, "skipped", facts),))
        try:
            found = Timer(limits.RESULT_SECONDS).run(lambda: self._mismatches(data))
        except (RemarkError, RecursionError, MemoryError):
            self._timeouts += 1
            self._violations = None  # it was stopped during an evaluation
            return Verdict(TaskState.UNKNOWN, ((Code.UNKNOWN_RESULT, "time", {"limit": limit}),))
        return Verdict(TaskState.UNMET, tuple(found)) if found else Verdict()

    def _mismatches(self, data: object) -> list[judgement.Shortfall]:
        from reconciler.manifest.schema import validator_of

        if self._violations is None:
            self._violations = validator_of(self._schema)
        return judgement.mismatches(self._violations(data), self._names)


class Evaluation:
    """Evaluates results, each once."""

    def __init__(self) -> None:
        self._checkers: dict[str, _Checker] = {}
        self._last: tuple[Mapping[str, object], _Checker] | None = None
        self._verdicts: dict[tuple[TaskRef, str | None, str, _Checker], Verdict] = {}

    def of_all(
        self, statuses: Sequence[TaskStatus], expected: Mapping[TaskRef, Expectation | Diagnostic]
    ) -> list[TaskStatus]:
        """The statuses after evaluation, in the same order. `expected` has a diagnostic for an
        unknown expectation."""
        found = {}  # by key, so that the result is deterministic
        for status in sorted(statuses, key=lambda status: natural(status.ref)):
            expect = expected.get(status.ref)
            if expect is not None and status.state is TaskState.DONE:
                found[status.ref] = self._evaluated(status, expect)
        return [found.get(status.ref, status) for status in statuses]

    def _evaluated(self, status: TaskStatus, expect: Expectation | Diagnostic) -> TaskStatus:
        if isinstance(expect, Diagnostic):
            return replace(status, state=TaskState.UNKNOWN, unmet=(expect,))
        listed = pull_requests(status)
        few = tuple(judgement.too_few_pull_requests(len(listed), expect))
        verdict = self._verdict(status, expect.data) if expect.data is not None else Verdict()
        if few and verdict.state is TaskState.DONE:
            verdict = Verdict(TaskState.UNMET)
        left = tuple(judgement.too_few_merged(listed, expect))
        if left and verdict.state is TaskState.DONE:
            verdict = Verdict(TaskState.TO_MERGE, left)
        if verdict.state is TaskState.DONE:
            return status
        at = replace(expect.at, key=status.ref.key)
        reasons = (*few, *verdict.reasons)
        unmet = tuple(judgement.diagnostic(reason, str(status.ref), at) for reason in reasons)
        return replace(status, state=verdict.state, unmet=unmet)

    def _verdict(self, status: TaskStatus, schema: Mapping[str, object]) -> Verdict:
        checker = self._checker(schema)
        key = (status.ref, status.task_id, status.summary.event_id, checker)
        if key not in self._verdicts:
            result = result_of(status)
            self._verdicts[key] = (
                Verdict(TaskState.UNMET, (judgement.without_data(result.no_data),))
                if result.data is ABSENT
                else checker.check(result.data)
            )
        return self._verdicts[key]

    def _checker(self, schema: Mapping[str, object]) -> _Checker:
        """The checker of a schema; equal schemas share one. The last one is kept, because the tasks
        of an entry follow each other and have the same schema object."""
        if self._last is None or self._last[0] is not schema:
            checker = self._checkers.setdefault(digest(schema), _Checker(schema))
            self._last = schema, checker
        return self._last[1]


_WORDS = (b"expect", b"\\", b"\0")
"""A manifest without any of these expects nothing: `expect` could only be written with escapes, or
in an encoding with zero bytes."""


class Expectations:
    """Finds the current expectations of recorded tasks in their manifests: the recorded file, or
    else a manifest that is read without a PATH, at `paths` (empty: the default locations). Entries
    are not expanded, and only manifests that may matter are parsed."""

    def __init__(self, root: Path, paths: Sequence[str] = ()) -> None:
        self.problems: list[Diagnostic] = []
        self._root, self._paths = root, paths
        self._files: dict[str, DeclaredExpectations | None] = {}
        self._reported: set[str] = set()
        self._irrelevant: dict[str, bool] = {}
        self._candidates: dict[str, Sequence[str]] = {}
        self._others: Sequence[str] | None = None
        self._readers: tuple[NamedFiles, Schemas] | None = None
        self._evaluation = Evaluation()

    def manifest(self, file: str) -> Path | None:
        """The manifest that a record names; None if it must not be read, since nobody typed the
        name: it must be a manifest that is read without a PATH, or a file that git tracks, not
        hidden, and without links on the way."""
        base, repository = resolved(self._root), repository_root(self._root)
        real = Path(os.path.normpath(base / file))
        if path_inside(base, file) != real:
            return None
        if not real.exists():
            return real
        top = repository or base
        if is_hidden(real.relative_to(base if real.is_relative_to(base) else top)):
            return None
        if is_manifest_name(real.name) and (repository is None or self._is_default(real, base)):
            return real
        if repository is None or self._tracked.refusal(top, real, file) is not None:
            return None
        return real

    def _is_default(self, real: Path, base: Path) -> bool:
        """Whether a manifest is read without a PATH."""
        if not self._paths and real.parent == base and real.name.endswith(LONE_SUFFIX):
            return True
        return any(real.is_relative_to(base / path) for path in self._paths or (FOLDER,))

    @cached_property
    def _tracked(self) -> TrackedFiles:
        from reconciler.manifest.tracked_files import TrackedFiles

        return TrackedFiles()

    def _declaring(self, file: str) -> Sequence[str]:
        """The manifests that may declare the tasks of a recorded file: the file itself or, if it
        does not exist, all."""
        if file not in self._candidates:
            exists = bool(file) and (self._root / file).is_file()
            files = (file,) if exists else self._default_files()
            self._candidates[file] = [each for each in files if not self._is_irrelevant(each)]
        return self._candidates[file]

    def evaluate(
        self, statuses: Sequence[TaskStatus], records: Iterable[Record]
    ) -> list[TaskStatus]:
        """The statuses; `problems` are about unreadable manifests."""
        finished = {status.ref for status in statuses if status.state is TaskState.DONE}
        expected = {}
        for record in records:
            expect = self._find(record) if record.ref in finished else None
            if expect is not None:
                expected[record.ref] = expect
            if isinstance(expect, Diagnostic) and expect.args["file"] not in self._reported:
                self._reported.add(str(expect.args["file"]))
                self.problems.append(expect)  # once per file; each task also has it
        return self._evaluation.of_all(statuses, expected)

    def _find(self, record: Record) -> Expectation | Diagnostic | None:
        """The expectation; None if there is none. If a manifest that may declare it is not valid,
        and the task was created with an expectation, the expectation is unknown."""
        name = _name_of(record)
        if not record.expects:
            declaring = filter(None, map(self._declared, self._declaring(record.file)))
            return next((d.expectations[name] for d in declaring if name in d.expectations), None)
        invalid = ""
        for all_files in (False, True):  # a manifest with an expectation usually contains the word
            for file in self._files_of(record):
                skipped = self._is_irrelevant(file) and not all_files
                declared = None if skipped else self._declared(file)
                if declared is not None and declared.problems:
                    invalid = invalid or file
                elif declared is not None and name in declared.expectations:
                    return declared.expectations[name]
        return error(Code.UNKNOWN_RESULT, ref=str(record.ref), file=invalid) if invalid else None

    def _files_of(self, record: Record) -> Iterator[str]:
        """The manifests that may declare a task, its own first."""
        yield record.file
        own = self._declared(record.file)
        if own is None or not own.problems:
            yield from self._default_files()

    def _is_irrelevant(self, file: str) -> bool:
        """Whether a manifest has no expectations; False if it cannot be read."""
        if file not in self._irrelevant:
            content = _WORDS[-1]
            if file and (real := self.manifest(file)) is not None:
                with suppress(OSError):
                    content = disk.read_resolved(real, limits.MANIFEST_BYTES)
            self._irrelevant[file] = not any(word in content for word in _WORDS)
        return self._irrelevant[file]

    def _declared(self, file: str) -> DeclaredExpectations | None:
        if file not in self._files:
            from reconciler.manifest.expectations import Schemas, declared_in
            from reconciler.manifest.files import NamedFiles

            self._files[file] = None
            if file:
                real, folder = self.manifest(file), (self._root / file).parent
                if self._readers is None:
                    self._readers = NamedFiles(self._root, self._tracked), Schemas()
                self._files[file] = declared_in(file, real, folder, *self._readers)
        return self._files[file]

    def _default_files(self) -> Sequence[str]:
        """The manifests that are read without a PATH, also those that cannot be read."""
        if self._others is None:
            finder = Finder(self._root)
            finder.find(self._paths)
            unreadable = (problem.file for problem in finder.diagnostics)
            self._others = sorted({*finder.files, *filter(None, unreadable)})
        return self._others


def _name_of(record: Record) -> str:
    """The key of a task in its manifest."""
    return record.generated.entry if record.generated is not None else record.ref.key
