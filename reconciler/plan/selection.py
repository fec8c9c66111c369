"""`--target`: the keys that a plan is limited to. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from difflib import get_close_matches

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, TaskctlError, error, warning
from reconciler.model.options import PlanOptions
from reconciler.model.task import DesiredTask, Removal, TaskRef
from reconciler.model.value import Value, replace
from reconciler.plan.keys import matches_key, moved_ref
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record, State


class Selection(Value, frozen=True):
    """The keys that a run acts on, out of `count`; None for all. `organizations` are those of the
    keys that `--target` selects: the progress of tasks elsewhere is not read."""

    refs: frozenset[TaskRef] | None = None
    count: int = 0
    organizations: frozenset[str] | None = None

    def has(self, ref: TaskRef) -> bool:
        return self.refs is None or ref in self.refs

    def within(self, only: Collection[TaskRef] | None) -> Selection:
        """The selection of the keys that `only` contains, too; None for all."""
        if only is None:
            return self
        refs = frozenset(only) if self.refs is None else self.refs.intersection(only)
        return replace(self, refs=refs)

    def notes(self, options: PlanOptions) -> Iterator[Diagnostic]:
        """A warning if `--target` limits the run, as in Terraform."""
        if options.target and self.refs is not None and len(self.refs) < self.count:
            flags = " ".join(f"--target {pattern}" for pattern in options.target)
            yield warning(Code.LIMITED_SCOPE, shown=len(self.refs), count=self.count, flags=flags)


EVERYTHING = Selection()


def select(
    options: PlanOptions,
    desired: Sequence[DesiredTask],
    state: State,
    in_scope: Callable[[str], bool] | None = None,
    removed: Sequence[Removal] = (),
) -> Selection:
    """The keys that `--target` and PATH select among those that are desired, recorded or attempted.
    `in_scope`: whether a manifest is one of the PATHs, or inside one; None without PATHs. `removed`
    are the items under `removed` in manifests.

    A pattern is a key or `ORG/KEY`, a glob of either, or an entry; the old key of a task that moves
    stands for the new key. Raises TaskctlError, with similar names, for a pattern that matches
    none.
    """
    if not options.target and in_scope is None:
        return EVERYTHING
    in_scope = in_scope or (lambda _: True)
    listed = [removal for removal in removed if in_scope(removal.file)]
    names = _names(desired, state, in_scope, listed)
    if not options.target:
        return Selection(frozenset(names), len(names))
    known = {ref for own in names.values() for ref in own}
    patterns = {target: pattern_of(target, known) for target in options.target}
    problems = [
        _matches_none(target, names)
        for target, pattern in patterns.items()
        if not matches_key(pattern, known)
    ]
    if problems:
        raise TaskctlError(problems)
    refs = frozenset(
        ref
        for ref, own in names.items()
        if any(matches_key(pattern, own) for pattern in patterns.values())
    )
    return Selection(refs, len(names), frozenset(ref.org_name for ref in refs))


def pattern_of(selector: str, known: Collection[TaskRef]) -> str:
    """The key or glob that a selector stands for, for `matches_key`. The name of an entry stands
    for the glob of its keys, unless a key has the same name."""
    glob = f"{selector}@*"
    is_name = not set(selector) & set("*@=") and not matches_key(selector, known)
    return glob if is_name and matches_key(glob, known) else selector


_BY_ENTRY = ("replace", "retry", "allow_recreate")


def agrees(name: str, options: PlanOptions, planned: PlanOptions) -> bool:
    """Whether the option `name` has the same value as in a plan, in which entries were replaced by
    globs."""
    now, then = getattr(options, name), getattr(planned, name)
    if name not in _BY_ENTRY or len(now) != len(then):
        return bool(now == then)
    return all(old in (new, f"{new}@*") for new, old in zip(now, then, strict=True))


def with_entries(options: PlanOptions, desired: Iterable[DesiredTask], state: State) -> PlanOptions:
    """The options, with a glob for each entry that `--replace`, `--retry` or `--allow-recreate`
    names."""
    known = {*state.records, *(task.ref for task in desired)}
    again = {name: getattr(options, name) for name in _BY_ENTRY}
    return replace(
        options, **{n: tuple(pattern_of(v, known) for v in own) for n, own in again.items()}
    )


def _names(
    desired: Iterable[DesiredTask],
    state: State,
    in_scope: Callable[[str], bool],
    removed: Sequence[Removal],
) -> dict[TaskRef, set[TaskRef]]:
    """The keys in scope, each with the names that select it: its current and its old key."""
    names: dict[TaskRef, set[TaskRef]] = {}
    declared: set[TaskRef] = set()
    for task in desired:
        own = {task.ref, *([old] if (old := moved_ref(task)) is not None else [])}
        declared |= own
        if in_scope(task.file):
            names[task.ref] = own
    recorded: list[Record | Attempt] = [*state.records.values(), *state.attempts.values()]
    for other in recorded:
        is_listed = any(removal.matches(*other.ref) for removal in removed)
        if other.ref not in declared and (is_listed or in_scope(other.file)):
            names.setdefault(other.ref, {other.ref})
    return names


def _matches_none(pattern: str, names: Iterable[TaskRef]) -> Diagnostic:
    keys = sorted({str(ref) if TaskRef.has_org(pattern) else ref.key for ref in names})
    near = get_close_matches(pattern, keys, n=3)
    if near:
        return error(Code.UNKNOWN_TARGET, "similar", pattern=pattern, near=tuple(near))
    listed = (*keys[:10], *(["..."] if len(keys) > 10 else []))
    case = "known" if keys else "none"
    return error(Code.UNKNOWN_TARGET, case, pattern=pattern, known=listed)


def is_in(file: str, paths: Iterable[str]) -> bool:
    """Whether a manifest file is one of the PATHs, or read from one of them."""
    return any(path == file or _is_below(path, file) for path in paths)


def _is_below(folder: str, file: str) -> bool:
    """Whether a file is inside a folder, and not hidden there: hidden files and folders are only
    read if they are PATHs."""
    prefix = "" if folder == "." else folder.rstrip("/") + "/"
    rest = file.removeprefix(prefix)
    return file.startswith(prefix) and not any(name.startswith(".") for name in rest.split("/"))
