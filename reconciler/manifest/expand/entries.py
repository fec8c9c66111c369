"""An entry and what it generates: axes x periods -> tasks, each with its values and its row. Pure.

Files are read by the caller, and the time is passed in. Every string of the entry is a template;
the generated tasks are checked like tasks that were written out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from reconciler.manifest.expand import product
from reconciler.manifest.expand.matchers import matchers_of
from reconciler.manifest.expand.periods import Period, Recurrence, Unit
from reconciler.manifest.expand.product import Combination, Matcher
from reconciler.manifest.expand.rows import Row, RowError, rows_of_node
from reconciler.manifest.expand.template import faults, filled, names, substitute, templates_in
from reconciler.manifest.finding import NO_FACTS, Facts, Finding, finding, warning
from reconciler.manifest.parse import nodes
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Path
from reconciler.model.entry import Generated, Rollout

OPTIONS = frozenset(
    {"forEach", "every", "timezone", "from", "until", "catchUp", "overlap", "key", "rollout"}
)
"""Properties of an entry that no generated task has."""

RESERVED = frozenset({"exclude", "atLeast", "atMost", "period", "previous"})
"""Names below `forEach` that are not axes."""

AT_MOST = 1_000
MOST_TEXT = 64 * 1024 * 1024
"""Characters that the generated tasks of one entry may have in all."""

LONGEST_KEY = 128
_VALUES = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")

_SIMILAR = {"unknown": "unknown-similar", "mapping": "mapping-similar"}

ReadRows = Callable[[str], list[Row]]
"""The rows of a data file, by its path as written; RowError."""


@dataclass(slots=True)
class Expansion:
    """The generated tasks by key, in order, and where each comes from; and what is wrong."""

    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    origins: dict[str, Generated] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def is_entry(task: Any) -> bool:
    """Whether a task of a manifest generates tasks instead of being one."""
    return isinstance(task, dict) and ("forEach" in task or "every" in task)


def expand(
    name: str, entry: Mapping[str, Any], root: nodes.Node | None, now: datetime, read: ReadRows
) -> Expansion:
    """What an entry generates now. `entry` satisfies the schema; `root` are its manifest's nodes,
    which have the values as written."""
    return _Entry(name, entry, nodes.node_at(root, ("tasks", name)), now, read).expand()


class _Entry:
    def __init__(
        self,
        name: str,
        entry: Mapping[str, Any],
        node: nodes.Node | None,
        now: datetime,
        read: ReadRows,
    ) -> None:
        self._name, self._entry, self._node = name, entry, node
        self._now, self._read = now, read
        self._path: Path = ("tasks", name)
        self._made = Expansion()
        self._template = {n: value for n, value in entry.items() if n not in OPTIONS}

    def expand(self) -> Expansion:
        axes = self._axes()
        recurrence = self._recurrence()
        if self._failed() or not self._size_is_fine(axes):
            return self._made
        excluded = self._matchers(("forEach", "exclude"), axes)
        pilot = self._matchers(("rollout", "pilot"), axes)
        combinations = list(product.combinations(axes, excluded))
        self._warn_of_idle(excluded, axes)
        least = (self._entry.get("forEach") or {}).get("atLeast", 1)
        if "forEach" in self._entry and len(combinations) < least:
            facts = {"count": len(combinations), "limit": least}
            self._find(Code.TOO_FEW_TASKS, ("forEach",), facts=facts)
        self._check_templates(axes)
        if self._failed():
            return self._made
        periods = recurrence.due(self._now) if recurrence is not None else (None,)
        self._generate(combinations, periods, pilot)
        return self._made

    # What the entry says

    def _axes(self) -> dict[str, list[Row]]:
        given = self._entry.get("forEach") or {}
        axes = {}
        for axis, values in given.items():
            if axis in RESERVED:
                continue
            try:
                if isinstance(values, dict):
                    axes[axis] = self._read(values["file"])
                else:
                    axes[axis] = rows_of_node(self._at(("forEach", axis)))
            except RowError as problem:
                self._unusable(axis, values, problem)
        return axes

    def _unusable(self, axis: str, values: Any, problem: RowError) -> None:
        file = values["file"] if isinstance(values, dict) else None
        path = ("forEach", axis, "file") if file is not None else ("forEach", axis)
        facts = {**problem.facts, "at": f"{file}:{problem.line}" if file else axis}
        position = None if file else (problem.line, 1)
        found = finding(Code.INVALID_DATA, (*self._path, *path), problem.case, facts)
        self._made.findings.append(found if position is None else found.at_position(*position))

    def _recurrence(self) -> Recurrence | None:
        if "every" not in self._entry:
            return None
        zone = self._entry.get("timezone", "UTC")
        try:
            known = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self._find(Code.INVALID_RECURRENCE, ("timezone",), "timezone", {"zone": zone})
            known = ZoneInfo("UTC")
        first, last = self._day("from"), self._day("until")
        catch_up = self._entry.get("catchUp", 0)
        if catch_up and not self._names_a_period():
            self._find(Code.INVALID_RECURRENCE, ("catchUp",), "catchUp")
        return Recurrence(Unit(self._entry["every"]), known, first, last, catch_up)

    def _day(self, name: str) -> date | None:
        if name not in self._entry:
            return None
        try:
            return date.fromisoformat(self._entry[name])
        except ValueError:
            self._find(Code.INVALID_RECURRENCE, (name,), "date", {"text": self._entry[name]})
            return None

    def _names_a_period(self) -> bool:
        used = {
            n.partition(".")[0] for _, text in templates_in(self._template) for n in names(text)
        }
        return bool(used & {"period", "previous"})

    def _size_is_fine(self, axes: Mapping[str, Sequence[Row]]) -> bool:
        asked: int = (self._entry.get("forEach") or {}).get("atMost", AT_MOST)
        most = min(asked, product.MOST)
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

    def _warn_of_idle(self, excluded: Sequence[Matcher], axes: Mapping[str, Sequence[Row]]) -> None:
        for matcher in excluded:
            if not any(matcher.matches(c) for c in product.combinations(axes)):
                made = warning(Code.INVALID_MATCHER, (*self._path, "forEach", "exclude"), "idle")
                self._made.findings.append(made.at_position(matcher.line, 1))

    # Templates

    def _check_templates(self, axes: Mapping[str, Sequence[Row]]) -> None:
        known = {name: value for rows in _samples(axes) for name, value in rows.items()}
        known |= self._period_values(Period(date(2000, 1, 1), Unit.DAY))
        template = {**self._template, "key": self._entry.get("key", "")}
        for path, text in templates_in(template):
            for fault in faults(text, known):
                facts = {"text": fault.text, "near": fault.suggestion}
                case = _SIMILAR[fault.case] if fault.suggestion else fault.case
                self._find(Code.INVALID_TEMPLATE, path, case, facts)

    def _period_values(self, period: Period | None) -> dict[str, str | None]:
        if "every" not in self._entry or period is None:
            return {}
        values: dict[str, str | None] = {"period": None, "previous": None}
        for name, one in (("period", period), ("previous", period.previous())):
            values[f"{name}.name"] = one.name
            values[f"{name}.start"] = one.start.isoformat()
            values[f"{name}.end"] = one.end.isoformat()
        return values

    # Tasks

    def _generate(
        self,
        combinations: Sequence[Combination],
        periods: Sequence[Period | None],
        pilot: Sequence[Matcher],
    ) -> None:
        rows: dict[str, Row | None] = {}
        length = 0
        for period in periods:
            shared = self._period_values(period)
            for position, combination in enumerate(combinations):
                values = product.values_of(combination) | shared
                row = next(iter(combination.values()), None)
                key = self._key(combination, values, period, row)
                if key is None or self._is_taken(key, row, rows):
                    continue
                rows[key.lower()] = row
                task, size = filled(self._template, values)
                length += size
                if length > MOST_TEXT:
                    self._find(Code.TOO_MANY_TASKS, ("forEach",), "text", {"limit": MOST_TEXT})
                    return
                self._made.tasks[key] = task
                first = self._is_pilot(position, combination, pilot)
                self._made.origins[key] = self._origin(combination, period, row, is_pilot=first)

    def _key(
        self,
        combination: Combination,
        values: Mapping[str, str | None],
        period: Period | None,
        row: Row | None,
    ) -> str | None:
        parts = [self._name]
        if combination:
            template = self._entry.get("key")
            made = substitute(template, values) if template else product.default_key(combination)
            if made is None or not _VALUES.fullmatch(made):
                case = "missing" if made is None else ""
                facts: Facts = {"text": made}
                self._find_at_row(Code.INVALID_GENERATED_KEY, row, case, facts)
                return None
            parts.append(made)
        if period is not None:
            parts.append(period.name)
        key = "@".join(parts)
        if len(key) > LONGEST_KEY:
            self._find_at_row(
                Code.INVALID_GENERATED_KEY, row, "long", {"text": key, "limit": LONGEST_KEY}
            )
            return None
        return key

    def _is_taken(self, key: str, row: Row | None, rows: Mapping[str, Row | None]) -> bool:
        if key.lower() not in rows:
            return False
        first = rows[key.lower()]
        facts = {"task": key, "first": _place(first), "second": _place(row)}
        case = "" if key in self._made.tasks else "case"
        self._find_at_row(Code.DUPLICATE_GENERATED_KEY, row, case, facts)
        return True

    def _is_pilot(self, position: int, combination: Combination, pilot: Sequence[Matcher]) -> bool:
        asked = (self._entry.get("rollout") or {}).get("pilot")
        if isinstance(asked, int | float):
            return position < asked
        return any(matcher.matches(combination) for matcher in pilot)

    def _origin(
        self, combination: Combination, period: Period | None, row: Row | None, *, is_pilot: bool
    ) -> Generated:
        values = product.values_of(combination)
        given = self._entry.get("rollout")
        rollout = None
        if given is not None:
            at_once, stop_after = given.get("atOnce"), given.get("stopAfter", 1)
            rollout = Rollout("pilot" in given, at_once, stop_after)
        return Generated(
            entry=self._name,
            values={name: value for name, value in values.items() if value is not None},
            period=period.name if period is not None else None,
            row_file=row.file if row is not None else None,
            row_line=row.line if row is not None else None,
            rollout=rollout,
            is_pilot=is_pilot,
            waits=self._entry.get("overlap") == "wait",
        )

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
        self._made.findings.append(finding(code, path, case, {**facts, "row": _place(row)}))

    def _failed(self) -> bool:
        return any(found.is_error for found in self._made.findings)


def _place(row: Row | None) -> str:
    if row is None:
        return ""
    return f"{row.file}:{row.line}" if row.file is not None else f"line {row.line}"


def _samples(axes: Mapping[str, Sequence[Row]]) -> Iterator[dict[str, str | None]]:
    """The names that each row makes known, with a value of it."""
    for axis, rows in axes.items():
        for row in rows:
            yield product.values_of({axis: row})
