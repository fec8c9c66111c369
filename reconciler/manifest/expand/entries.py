"""The tasks that an entry generates: axes x periods, each with its values and its row. Pure.

The caller reads files and passes the time. Every string of the entry is a template; generated tasks
are checked like any others.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from reconciler.manifest.expand import product
from reconciler.manifest.expand.options import OPTIONS, RESERVED, check_options, recurrence_of
from reconciler.manifest.expand.periods import Period, Recurrence
from reconciler.manifest.expand.product import Combination, Matcher, matchers_of
from reconciler.manifest.expand.rows import Row, RowError, rows_of_node
from reconciler.manifest.expand.template import (
    Values,
    Vocabulary,
    filler,
    names,
    names_a_period,
    period_values,
    stray_dollar,
    substitute,
    templates_in,
)
from reconciler.manifest.finding import NO_FACTS, Facts, Finding, finding, warning_finding
from reconciler.manifest.parse import nodes
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Path
from reconciler.model.task import Generated, Rollout, TaskOrigin

AT_MOST = 1_000
MOST_TEXT = 64 * 1024 * 1024
"""The maximum number of characters in all generated tasks of one entry."""

LONGEST_KEY = 128
_VALUES = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")

ReadRows = Callable[[str], list[Row] | Finding]
"""Takes the path of a data file as written; returns its rows, or a finding if it is invalid."""


@dataclass(slots=True)
class Expansion:
    """The generated tasks by key, in order, with their origins, and the findings.

    `values` are for tasks whose prompt is in a file, which is a template too: `vocabulary` checks
    it. `due` are the periods that may be created; `length` counts the characters of all tasks.
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
    """Expands an entry that satisfies the schema. `root` is the root node of its manifest, with the
    values as written. `now` is called if the entry recurs."""
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
        self._for_each = entry.get("forEach") or {}
        self._template = {n: value for n, value in entry.items() if n not in OPTIONS}

    def expand(self) -> Expansion:
        made = self._made
        made.template = self._template
        made.findings += check_options(self._entry, self._path)
        axes = self._axes()
        made.recurrence = recurrence_of(self._entry, self._path, made.findings)
        if self._has_errors() or not self._is_size_valid(axes):
            return made
        if made.recurrence is not None:
            made.due = made.recurrence.due(self._now())
        excluded = self._matchers(("forEach", "exclude"), axes)
        pilot = self._matchers(("rollout", "pilot"), axes)
        combinations = list(product.combinations(axes, excluded))
        self._warn_of_unused(("forEach", "exclude"), excluded, product.combinations(axes))
        self._warn_of_unused(("rollout", "pilot"), pilot, combinations)
        least = int(self._for_each.get("atLeast", 1))
        if "forEach" in self._entry and len(combinations) < least:
            facts = {"count": len(combinations), "limit": least}
            self._report(Code.TOO_FEW_TASKS, ("forEach",), facts=facts)
        made.vocabulary = Vocabulary.of(axes, recurs=made.recurrence is not None)
        self._check_templates(made.vocabulary)
        if not self._has_errors():
            periods = made.due if made.recurrence is not None else (None,)
            self._generate(combinations, periods, pilot)
        return made

    # Options

    def _axes(self) -> dict[str, list[Row]]:
        axes: dict[str, list[Row]] = {}
        for axis, values in self._for_each.items():
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

    def _is_size_valid(self, axes: Mapping[str, Sequence[Row]]) -> bool:
        """Checks the number of combinations before any is built."""
        limit = min(int(self._for_each.get("atMost", AT_MOST)), product.MOST)
        count = math.prod(map(len, axes.values()))
        if count > limit:
            self._report(Code.TOO_MANY_TASKS, ("forEach",), "", {"count": count, "limit": limit})
        return count <= limit

    def _matchers(self, path: Path, axes: Mapping[str, Sequence[Row]]) -> list[Matcher]:
        matchers, wrong = matchers_of(self._at(path), axes, (*self._path, *path))
        self._made.findings += wrong
        return matchers

    def _warn_of_unused(
        self, path: Path, matchers: Sequence[Matcher], combinations: Iterable[Combination]
    ) -> None:
        unused = list(matchers)
        for combination in combinations if unused else ():
            unused = [matcher for matcher in unused if not matcher.matches(combination)]
        for matcher in unused:
            made = warning_finding(Code.INVALID_MATCHER, (*self._path, *path), "idle")
            self._made.findings.append(made.at_position(matcher.line, 1))

    # Templates

    def _check_templates(self, vocabulary: Vocabulary) -> None:
        template = {**self._template, "key": self._entry.get("key", "")}
        for path, text in templates_in(template):
            self._made.findings += vocabulary.check(text, (*self._path, *path))
            self._made.findings += stray_dollar(text, (*self._path, *path))
        differs = self._prompt_in_file or names_a_period(self._template)
        if self._entry.get("catchUp") and not differs:
            self._report(Code.INVALID_RECURRENCE, ("catchUp",), "catchUp")

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
                    self._report(Code.TOO_MANY_TASKS, (), "text", {"limit": MOST_TEXT})
                    return
                self._made.tasks[key] = task
                if self._prompt_in_file:
                    self._made.values[key] = values
                is_pilot = self._is_pilot(position, combination, pilot)
                origin = self._origin(position, own, period, row, is_pilot=is_pilot)
                self._made.origins[key] = origin

    def _key(
        self, combination: Combination, values: Values, period: Period | None, row: Row | None
    ) -> str | None:
        parts = [self._name]
        if combination:
            made, case = self._values_in_key(combination, values)
            if case is not None:
                self._report_at_row(Code.INVALID_GENERATED_KEY, row, case, {"text": made})
                return None
            parts.append(made)
        if period is not None:
            parts.append(period.name)
        key = "@".join(parts)
        if len(key) > LONGEST_KEY:
            facts: Facts = {"text": key, "limit": LONGEST_KEY}
            self._report_at_row(Code.INVALID_GENERATED_KEY, row, "long", facts)
            return None
        return key

    def _values_in_key(self, combination: Combination, values: Values) -> tuple[str, str | None]:
        """The part of the key made from the values, and the case of its error, if any."""
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
        first, place = rows[key.lower()], ""
        if first is not None:
            place = f"{first.file}:{first.line}" if first.file is not None else f"line {first.line}"
        case = "" if key in self._made.tasks else "case"
        facts = {"task": key, "first": place}
        self._report_at_row(Code.DUPLICATE_GENERATED_KEY, row, case, facts)
        return True

    def _is_pilot(self, position: int, combination: Combination, pilot: Sequence[Matcher]) -> bool:
        size = (self._entry.get("rollout") or {}).get("pilot")
        if isinstance(size, int | float):
            return position < size
        return any(matcher.matches(combination) for matcher in pilot)

    def _origin(
        self,
        position: int,
        values: Values,
        period: Period | None,
        row: Row | None,
        *,
        is_pilot: bool,
    ) -> TaskOrigin:
        begins = ends = None
        recurrence = self._made.recurrence
        if period is not None and recurrence is not None:
            begins = period.begins_at(recurrence.zone)
            ends = None if recurrence.catch_up else period.next().begins_at(recurrence.zone)
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
            is_pilot=is_pilot,
            waits=self._entry.get("overlap") == "wait",
            begins=begins,
            ends=ends,
        )

    @cached_property
    def _rollout(self) -> Rollout | None:
        given = self._entry.get("rollout")
        if given is None:
            return None
        at_once = given.get("atOnce")
        limit = int(at_once) if at_once is not None else None  # 1e2 is an integer, too
        return Rollout("pilot" in given, limit, int(given.get("stopAfter", 1)))

    # Findings

    def _at(self, path: Path) -> nodes.Node | None:
        return nodes.node_at(self._node, path)

    def _report(self, code: Code, path: Path, case: str = "", facts: Facts = NO_FACTS) -> None:
        self._made.findings.append(finding(code, (*self._path, *path), case, facts))

    def _report_at_row(self, code: Code, row: Row | None, case: str, facts: Facts) -> None:
        path = (*self._path, "key") if "key" in self._entry else self._path
        found = finding(code, path, case, facts)
        self._made.findings.append(found if row is None else found.at_row(row.file, row.line))

    def _has_errors(self) -> bool:
        return any(found.is_error for found in self._made.findings)
