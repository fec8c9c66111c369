"""An entry and what it generates: axes x periods -> tasks, each with its values and its row. Pure.

Files are read by the caller, and the time is passed in. Every string of the entry is a template;
the generated tasks are checked like tasks that were written out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from reconciler.manifest.expand import product
from reconciler.manifest.expand.matchers import matchers_of
from reconciler.manifest.expand.options import (
    OPTIONS,
    RESERVED,
    check_options,
    recurrence_of,
)
from reconciler.manifest.expand.periods import Period, Recurrence
from reconciler.manifest.expand.product import Combination, Matcher
from reconciler.manifest.expand.rows import Row, RowError, rows_of_node
from reconciler.manifest.expand.template import filler, names, substitute, templates_in
from reconciler.manifest.expand.vocabulary import (
    Values,
    Vocabulary,
    names_a_period,
    period_values,
    stray_dollar,
)
from reconciler.manifest.finding import NO_FACTS, Facts, Finding, finding, warning_finding
from reconciler.manifest.parse import nodes
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Path
from reconciler.model.entry import Generated, Rollout, TaskOrigin

AT_MOST = 1_000
MOST_TEXT = 64 * 1024 * 1024
"""Characters that the generated tasks of one entry may have in all."""

LONGEST_KEY = 128
_VALUES = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")

ReadRows = Callable[[str], list[Row] | Finding]
"""The rows of a data file, by its path as written; or why it cannot be used."""


@dataclass(slots=True)
class Expansion:
    """The generated tasks by key, in order, and where each comes from; and what is wrong.

    `values` are those of tasks whose prompt is in a file, which is a template too, checked by
    `vocabulary`. `due` are the periods that may be created; `length` counts characters.
    """

    tasks: dict[str, dict[str, object]] = field(default_factory=dict)
    origins: dict[str, TaskOrigin] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    values: dict[str, Values] = field(default_factory=dict)
    template: dict[str, object] = field(default_factory=dict)
    vocabulary: Vocabulary | None = None
    due: tuple[Period, ...] = ()
    recurrence: Recurrence | None = None
    length: int = 0


def expand(
    name: str,
    entry: Mapping[str, object],
    root: nodes.Node | None,
    now: Callable[[], datetime],
    read: ReadRows,
) -> Expansion:
    """What an entry generates now. `entry` satisfies the schema; `root` are its manifest's nodes,
    which have the values as written. `now` is called if the entry recurs."""
    return _Entry(name, entry, nodes.node_at(root, ("tasks", name)), now, read).expand()


class _Entry:
    def __init__(
        self,
        name: str,
        entry: Mapping[str, Any],
        node: nodes.Node | None,
        now: Callable[[], datetime],
        read: ReadRows,
    ) -> None:
        self._name, self._entry, self._node = name, entry, node
        self._now, self._read = now, read
        self._path: Path = ("tasks", name)
        self._made = Expansion()
        self._template = {n: value for n, value in entry.items() if n not in OPTIONS}

    def expand(self) -> Expansion:
        made = self._made
        made.template = self._template
        made.findings += check_options(self._entry, self._path)
        axes = self._axes()
        made.recurrence = recurrence_of(self._entry, self._path, made.findings)
        if self._failed() or not self._size_is_fine(axes):
            return made
        if made.recurrence is not None:
            made.due = made.recurrence.due(self._now())
        excluded = self._matchers(("forEach", "exclude"), axes)
        pilot = self._matchers(("rollout", "pilot"), axes)
        combinations = list(product.combinations(axes, excluded))
        self._warn_of_idle(("forEach", "exclude"), excluded, product.combinations(axes))
        self._warn_of_idle(("rollout", "pilot"), pilot, combinations)
        least = int((self._entry.get("forEach") or {}).get("atLeast", 1))
        if "forEach" in self._entry and len(combinations) < least:
            facts = {"count": len(combinations), "limit": least}
            self._find(Code.TOO_FEW_TASKS, ("forEach",), facts=facts)
        made.vocabulary = Vocabulary.of(axes, recurs=made.recurrence is not None)
        self._check_templates(made.vocabulary)
        if not self._failed():
            periods = made.due if made.recurrence is not None else (None,)
            self._generate(combinations, periods, pilot)
        return made

    # What the entry says

    def _axes(self) -> dict[str, list[Row]]:
        given = self._entry.get("forEach") or {}
        axes: dict[str, list[Row]] = {}
        for axis, values in given.items():
            if axis in RESERVED:
                continue
            path = (*self._path, "forEach", axis)
            if isinstance(values, dict):
                rows = self._read(values["file"])
                if isinstance(rows, Finding):
                    self._made.findings.append(rows.at_path((*path, "file")))
                else:
                    axes[axis] = rows
                continue
            try:
                axes[axis] = rows_of_node(self._at(("forEach", axis)))
            except RowError as problem:
                found = finding(Code.INVALID_DATA, path, problem.case, problem.facts)
                self._made.findings.append(found.at_position(problem.line, 1))
        return axes

    def _size_is_fine(self, axes: Mapping[str, Sequence[Row]]) -> bool:
        asked = (self._entry.get("forEach") or {}).get("atMost", AT_MOST)
        most = min(int(asked), product.MOST)
        count = product.size(axes)
        if count > most:
            self._find(Code.TOO_MANY_TASKS, ("forEach",), "", {"count": count, "limit": most})
        return count <= most

    def _matchers(self, path: Path, axes: Mapping[str, Sequence[Row]]) -> list[Matcher]:
        found, wrong = matchers_of(self._at(path), axes)
        for case, facts, line in wrong:
            made = finding(Code.INVALID_MATCHER, (*self._path, *path), case, facts)
            self._made.findings.append(made.at_position(line, 1))
        return found

    def _warn_of_idle(
        self, path: Path, matchers: Sequence[Matcher], of: Iterable[Combination]
    ) -> None:
        idle = list(matchers)
        for combination in of if idle else ():
            idle = [matcher for matcher in idle if not matcher.matches(combination)]
        for matcher in idle:
            made = warning_finding(Code.INVALID_MATCHER, (*self._path, *path), "idle")
            self._made.findings.append(made.at_position(matcher.line, 1))

    # Templates

    def _check_templates(self, vocabulary: Vocabulary) -> None:
        template = {**self._template, "key": self._entry.get("key", "")}
        for path, text in templates_in(template):
            self._made.findings += vocabulary.check(text, (*self._path, *path))
            self._made.findings += stray_dollar(text, (*self._path, *path))
        is_told = self._prompt_in_file or names_a_period(self._template)
        if self._entry.get("catchUp") and not is_told:
            self._find(Code.INVALID_RECURRENCE, ("catchUp",), "catchUp")

    @cached_property
    def _prompt_in_file(self) -> bool:
        message = self._template.get("message")
        return isinstance(message, dict) and "contentFile" in message

    # Tasks

    def _generate(
        self,
        combinations: Sequence[Combination],
        periods: Sequence[Period | None],
        pilot: Sequence[Matcher],
    ) -> None:
        rows: dict[str, Row | None] = {}
        fill = filler(self._template)
        for period in periods:
            shared = {} if period is None else period_values(period)
            for position, combination in enumerate(combinations):
                own = product.values_of(combination)
                values = own | shared if shared else own
                row = next(iter(combination.values()), None)
                key = self._key(combination, values, period, row)
                if key is None or self._is_taken(key, row, rows):
                    continue
                rows[key.lower()] = row
                task, size = fill(values)
                self._made.length += size
                if self._made.length > MOST_TEXT:
                    self._find(Code.TOO_MANY_TASKS, (), "text", {"limit": MOST_TEXT})
                    return
                self._made.tasks[key] = task
                if self._prompt_in_file:
                    self._made.values[key] = values
                is_pilot = self._is_pilot(position, combination, pilot)
                origin = self._origin(position, own, period, row)
                self._made.origins[key] = replace(origin, is_pilot=is_pilot) if is_pilot else origin

    def _key(
        self, combination: Combination, values: Values, period: Period | None, row: Row | None
    ) -> str | None:
        parts = [self._name]
        if combination:
            made, case = self._values_in_key(combination, values)
            if case is not None:
                self._find_at_row(Code.INVALID_GENERATED_KEY, row, case, {"text": made})
                return None
            parts.append(made)
        if period is not None:
            parts.append(period.name)
        key = "@".join(parts)
        if len(key) > LONGEST_KEY:
            facts: Facts = {"text": key, "limit": LONGEST_KEY}
            self._find_at_row(Code.INVALID_GENERATED_KEY, row, "long", facts)
            return None
        return key

    def _values_in_key(self, combination: Combination, values: Values) -> tuple[str, str | None]:
        """The part of the key that the values make, and what is wrong with it."""
        template = self._entry.get("key")
        used = self._names_in_key if template else product.default_names(combination)
        texts = [values.get(name) for name in used]
        if None in texts:
            return "", "missing"
        made = substitute(template, values) if template else "-".join(map(str, texts))
        if not all(texts):
            return made, "empty"
        return made, None if _VALUES.fullmatch(made) else ""

    @cached_property
    def _names_in_key(self) -> frozenset[str]:
        return names(self._entry["key"])

    def _is_taken(self, key: str, row: Row | None, rows: Mapping[str, Row | None]) -> bool:
        if key.lower() not in rows:
            return False
        first = rows[key.lower()]
        facts = {"task": key, "first": _place(first)}
        case = "" if key in self._made.tasks else "case"
        self._find_at_row(Code.DUPLICATE_GENERATED_KEY, row, case, facts)
        return True

    def _is_pilot(self, position: int, combination: Combination, pilot: Sequence[Matcher]) -> bool:
        asked = (self._entry.get("rollout") or {}).get("pilot")
        if isinstance(asked, int | float):
            return position < asked
        return any(matcher.matches(combination) for matcher in pilot)

    def _origin(
        self,
        position: int,
        values: Values,
        period: Period | None,
        row: Row | None,
    ) -> TaskOrigin:
        return TaskOrigin(
            Generated(
                self._name,
                {name: value for name, value in values.items() if value is not None},
                period.name if period is not None else None,
            ),
            row_file=row.file if row is not None else None,
            row_line=row.line if row is not None else None,
            position=position,
            rollout=self._rollout,
            waits=self._entry.get("overlap") == "wait",
            **self._span(period),
        )

    @cached_property
    def _rollout(self) -> Rollout | None:
        given = self._entry.get("rollout")
        if given is None:
            return None
        at_once = given.get("atOnce")
        limit = int(at_once) if at_once is not None else None  # 1e2 is a whole number, too
        return Rollout("pilot" in given, limit, int(given.get("stopAfter", 1)))

    def _span(self, period: Period | None) -> dict[str, Any]:
        recurrence = self._made.recurrence
        if period is None or recurrence is None:
            return {}
        ends = None if recurrence.catch_up else period.next().begins_at(recurrence.zone)
        return {"begins": period.begins_at(recurrence.zone), "ends": ends}

    # Findings

    def _at(self, path: Path) -> nodes.Node | None:
        return nodes.node_at(self._node, path)

    def _find(
        self,
        code: Code,
        path: Path,
        case: str = "",
        facts: Facts = NO_FACTS,
    ) -> None:
        self._made.findings.append(finding(code, (*self._path, *path), case, facts))

    def _find_at_row(self, code: Code, row: Row | None, case: str, facts: Facts) -> None:
        path = (*self._path, "key") if "key" in self._entry else self._path
        found = finding(code, path, case, facts)
        self._made.findings.append(found if row is None else found.at_row(row.file, row.line))

    def _failed(self) -> bool:
        return any(found.is_error for found in self._made.findings)


def _place(row: Row | None) -> str:
    if row is None:
        return ""
    return f"{row.file}:{row.line}" if row.file is not None else f"line {row.line}"
