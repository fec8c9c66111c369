"""`--target` and `--exclude`: to which keys a plan is restricted. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Arg, Diagnostic, Severity, warning
from reconciler.model.errors import TaskctlError
from reconciler.model.task import DesiredTask, TaskRef
from reconciler.plan.lookup import moved_ref
from reconciler.plan.options import PlanOptions
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record, State, is_in


@dataclass(frozen=True, slots=True)
class Selection:
    """`refs` are the keys that a plan is to be about, of `count`; None: it is about all."""

    refs: frozenset[TaskRef] | None = None
    count: int = 0

    def within(self, only: Collection[TaskRef] | None) -> Collection[TaskRef] | None:
        """What both restrictions leave."""
        if self.refs is None or only is None:
            return only if self.refs is None else self.refs
        return self.refs.intersection(only)

    def notes(self, options: PlanOptions) -> Iterator[Diagnostic]:
        """What a reader of a restricted plan has to know, as Terraform tells it."""
        if self.refs is not None and len(self.refs) < self.count:
            flags = [f"--target {pattern}" for pattern in options.target]
            flags += [f"--exclude {pattern}" for pattern in options.exclude]
            yield warning(
                Code.LIMITED_SCOPE, shown=len(self.refs), count=self.count, flags=" ".join(flags)
            )


def select(
    options: PlanOptions, desired: Sequence[DesiredTask], state: State, scope: Sequence[str] = ()
) -> Selection:
    """The tasks that `options` select among those wanted, recorded and attempted.

    A pattern is a key or a glob of keys, or of `ORG/KEY`; the old key of a task
    that moves stands for the new one. TaskctlError, with near names, for one that matches none.
    """
    if not options.target and not options.exclude:
        return Selection()
    names = _names(desired, state, scope)
    problems = [
        _matches_none(flag, pattern, names)
        for flag, patterns in (("--target", options.target), ("--exclude", options.exclude))
        for pattern in patterns
        if not any(matches_key(pattern, known) for known in names.values())
    ]
    if problems:
        raise TaskctlError(problems)
    refs = frozenset(
        ref
        for ref, known in names.items()
        if (not options.target or _any(options.target, known)) and not _any(options.exclude, known)
    )
    return Selection(refs, len(names))


def _names(
    desired: Iterable[DesiredTask], state: State, scope: Sequence[str]
) -> dict[TaskRef, set[TaskRef]]:
    """The keys a plan can be about, each with all that it goes by."""
    names: dict[TaskRef, set[TaskRef]] = {}
    heirs: set[TaskRef] = set()
    for task in desired:
        names[task.ref] = {task.ref}
        old = moved_ref(task)
        if old is not None:
            names[task.ref].add(old)
            heirs.add(old)
    recorded: list[Record | Attempt] = [*state.records.values(), *state.attempts.values()]
    for known in recorded:
        if known.ref not in heirs and (not scope or is_in(known.file, scope)):
            names.setdefault(known.ref, {known.ref})
    return names


def _any(patterns: Iterable[str], known: Collection[TaskRef]) -> bool:
    return any(matches_key(pattern, known) for pattern in patterns)


def matches_key(pattern: str, known: Iterable[TaskRef]) -> bool:
    full = TaskRef.has_org(pattern)
    return any(fnmatchcase(str(ref) if full else ref.key, pattern) for ref in known)


def _matches_none(flag: str, pattern: str, names: Iterable[TaskRef]) -> Diagnostic:
    known = sorted({str(ref) if TaskRef.has_org(pattern) else ref.key for ref in names})
    near = get_close_matches(pattern, known, n=3)
    facts: dict[str, Arg] = {"flag": flag, "pattern": pattern}
    if near:
        return Diagnostic(
            Code.UNKNOWN_TARGET, Severity.ERROR, "similar", {**facts, "near": tuple(near)}
        )
    shown = (*known[:10], *(["..."] if len(known) > 10 else []))
    case = "known" if known else "none"
    return Diagnostic(Code.UNKNOWN_TARGET, Severity.ERROR, case, {**facts, "known": shown})
