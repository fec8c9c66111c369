"""The tasks that an entry generates, one for each combination of its axes' values. Pure.

The caller reads files and passes the time. Every string of the entry is a template.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import Any

from reconciler.manifest.expand.expansion import Expansion, Room, too_large
from reconciler.manifest.expand.periods import Period, recurrence_of
from reconciler.manifest.expand.product import (
    Combination,
    Values,
    added_to_key,
    combinations,
    default_names,
    matchers_of,
    matches,
    values_in,
)
from reconciler.manifest.expand.rows import Row, RowError, rows_of_node
from reconciler.manifest.expand.template import (
    Template,
    Vocabulary,
    compile_template,
    names,
    period_values,
    stray_dollar,
    substitute,
    templates_in,
)
from reconciler.manifest.finding import NO_FACTS, Facts, Finding, warning_finding
from reconciler.manifest.parse import nodes
from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Path
from reconciler.model.shell import MAX_KEY
from reconciler.model.task import Generated, Rollout, TaskOrigin
from reconciler.model.typed_json import encode_json

AT_MOST = 1_000
"""The default of `atMost`."""

_OF_EVERY = ("timezone", "from", "until", "overlap")
OPTIONS = frozenset({"forEach", "every", *_OF_EVERY, "key", "rollout"})
"""Properties of an entry that are not part of the generated tasks."""

_WITHOUT_TEMPLATES = (OPTIONS - {"key"}) | {"expect"}
"""Properties without templates; `expect`, because a row of data must not define success."""

_RESERVED = frozenset({"exclude", "atLeast", "atMost", "period", "previous"})
"""Names below `forEach` that are not axes."""

_VALUES = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")

ReadRows = Callable[[str], list[Row] | Finding]
"""Takes the path of a data file as written; returns its rows, or a finding if it is invalid."""


def expand(
    name: str,
    entry: Mapping[str, object],
    root: nodes.Node | None,
    now: Callable[[], datetime],
    read: ReadRows,
    room: Room,
) -> Expansion:
    """Expands an entry that satisfies the schema. `root` is the root node of its manifest, with the
    values as written. `now` is called if the entry recurs. The generated tasks count against
    `room`."""
    return _Entry(name, entry, nodes.node_at(root, ("tasks", name)), now, read, room).expand()


class _Entry:
    def __init__(
        self,
        name: str,
        entry: Mapping[str, Any],
        node: nodes.Node | None,
        now: Callable[[], datetime],
        read: ReadRows,
        room: Room,
    ) -> None:
        self._name, self._entry, self._node = name, entry, node
        self._now, self._read, self._room = now, read, room
        self._path: Path = ("tasks", name)
        self._made = Expansion()
        self._for_each = entry.get("forEach") or {}
        self._template = {n: v for n, v in entry.items() if n not in OPTIONS and n != "expect"}
        self._axes: dict[str, list[Row]] = {}

    def expand(self) -> Expansion:
        made = self._made
        made.template = self._template
        made.findings += _wrong_options(self._entry, self._path)
        axes = self._for_each.keys() - _RESERVED
        if len(axes) > limits.AXES:
            facts = {"count": len(axes), "limit": limits.AXES}
            self._report(Code.TOO_MANY_TASKS, ("forEach",), "axes", facts)
            return made
        self._read_axes()
        made.recurrence = recurrence_of(self._entry, self._path, made.findings)
        if self._has_errors():
            return made
        if not self._is_size_valid():
            return made
        if made.recurrence is not None:
            rows = {axis: [row.value for row in rows] for axis, rows in self._axes.items()}
            made.written = [self._entry, rows]
            made.due = made.recurrence.due(self._now())
            made.upcoming = made.recurrence.upcoming(self._now())
            made.latest = made.recurrence.latest(self._now())
        every = list(combinations(self._axes))
        excluded = self._matches(("forEach", "exclude"), every)
        kept = [each for position, each in enumerate(every) if position not in excluded]
        pilot = self._matches(("rollout", "pilot"), kept)
        least = int(self._for_each.get("atLeast", 1))
        if "forEach" in self._entry and len(kept) < least:
            facts = {"count": len(kept), "limit": least}
            self._report(Code.TOO_FEW_TASKS, ("forEach",), facts=facts)
        made.vocabulary = Vocabulary.of(
            self._axes, self._room.searches, recurs=made.recurrence is not None
        )
        self._check_templates(made.vocabulary)
        if not self._has_errors():
            if made.recurrence is None or made.due is not None:
                self._generate(kept, made.due, pilot)
            else:
                made.rows = dict(self._rows(kept))
        return made

    # Options

    def _read_axes(self) -> None:
        for axis, values in self._for_each.items():
            if axis in _RESERVED:
                continue
            path = (*self._path, "forEach", axis)
            if isinstance(values, dict):
                rows = self._read(values["file"])
                if isinstance(rows, Finding):
                    self._made.findings.append(rows.at_path((*path, "file")))
                else:
                    self._axes[axis] = rows
                continue
            try:
                self._axes[axis] = rows_of_node(self._at(("forEach", axis)))
            except RowError as problem:
                self._made.findings.append(Finding.of(problem, path, (problem.line, 1)))

    def _is_size_valid(self) -> bool:
        """Checks the number of combinations before any is built."""
        limit = int(self._for_each.get("atMost", AT_MOST))
        count = math.prod(map(len, self._axes.values()))
        if count > limit:
            self._report(Code.TOO_MANY_TASKS, ("forEach",), "", {"count": count, "limit": limit})
            return False
        if count > self._room.tasks:
            self._report(Code.TOO_MANY_TASKS, (), "run", {"count": count, "limit": limits.TASKS})
            return False
        self._room.tasks -= count
        self._room.values -= values_in(self._axes, count)
        if self._room.values < 0:
            self._report(Code.TOO_MANY_TASKS, (), "values", {"limit": limits.ROW_VALUES})
        return self._room.values >= 0

    def _matches(self, path: Path, among: Sequence[Combination]) -> Container[int]:
        """The positions of the combinations that match the list at `path`; none if it is not a
        list. For a pilot, an item without a match is an error, unless the entry has no rows that
        could wait for it."""
        listed = self._at(path)
        if listed is None:
            return ()
        matchers, wrong = matchers_of(listed, self._axes, (*self._path, *path))
        self._made.findings += wrong
        if len(matchers) > limits.MATCHERS:
            self._report(Code.INVALID_MATCHER, path, "many", {"limit": limits.MATCHERS})
            return ()
        is_pilot = path[-1] == "pilot"
        matching, unused_lines = matches(matchers, among)
        for line in unused_lines if among or not is_pilot else ():
            unused = Finding(Code.INVALID_MATCHER, (*self._path, *path), "pilot")
            if not is_pilot:
                unused = warning_finding(Code.INVALID_MATCHER, (*self._path, *path), "idle")
            self._made.findings.append(unused.at_position(line, 1))
        return matching

    # Templates

    def _check_templates(self, vocabulary: Vocabulary) -> None:
        template = {**self._template, "key": self._entry.get("key", "")}
        texts = [((*self._path, *path), text) for path, text in templates_in(template)]
        errors = (found for path, text in texts for found in vocabulary.errors(text, path))
        self._made.findings += islice(errors, limits.TASK_FINDINGS)
        for path, text in texts:
            self._made.findings += stray_dollar(text, path)
        for name in names(self._template.get("orgName") or ""):
            axis = name.partition(".")[0]
            if axis in ("period", "previous") or isinstance(self._for_each.get(axis), dict):
                self._report(Code.INVALID_TEMPLATE, ("orgName",), "organization", {"text": name})

    @cached_property
    def _prompt_in_file(self) -> bool:
        message = self._template.get("message")
        return isinstance(message, dict) and "contentFile" in message

    # Tasks

    def _generate(
        self, among: Sequence[Combination], period: Period | None, pilot: Container[int]
    ) -> None:
        made, fill, rollout = self._made, compile_template(self._template), self._rollout()
        waits = self._entry.get("overlap") == "wait"
        added = added_to_key(self._entry, self._axes, among)
        rows: dict[str, Row | None] = {}
        shared = {} if period is None else period_values(period)
        for position, (own, row) in enumerate(among):
            values = {**own, **shared} if shared else own
            key = self._key(values, period, row)
            if key is None or self._is_taken(key, row, rows):
                continue
            rows[key.lower()] = row
            task = fill(values)
            texts = {name: value for name, value in own.items() if value is not None}
            if self._prompt_in_file:
                made.values[key] = values
            if not self._room.take(len(encode_json((task, texts)))):
                self._made.findings.append(too_large(self._name))
                return
            made.tasks[key] = task
            made.origins[key] = TaskOrigin(
                Generated(self._name, texts, shared.get("period.name")),
                added,
                made.inputs,
                row_file=row.file if row is not None else None,
                row_line=row.line if row is not None else None,
                position=position,
                rollout=rollout,
                is_pilot=position in pilot,
                waits=waits,
            )

    def _rows(self, among: Sequence[Combination]) -> Iterator[tuple[str, str | None]]:
        org_name = self._template.get("orgName")
        for values, row in among:
            if (key := self._key(values, None, row)) is not None:
                yield key, substitute(org_name, values) if isinstance(org_name, str) else None

    def _key(self, values: Values, period: Period | None, row: Row | None) -> str | None:
        key = self._name
        if self._axes:
            made, case = self._values_in_key(values)
            if case is not None:
                self._report_at_row(Code.INVALID_GENERATED_KEY, row, case, {"text": made})
                return None
            key = f"{key}@{made}"
        if period is not None:
            key = f"{key}@{period.name}"
        if len(key) > MAX_KEY:
            facts: Facts = {"text": key, "limit": MAX_KEY}
            self._report_at_row(Code.INVALID_GENERATED_KEY, row, "long", facts)
            return None
        return key

    def _values_in_key(self, values: Values) -> tuple[str, str | None]:
        """The part of the key made from the values, and the case of its error, if any."""
        template = self._key_template
        used = template.names if template is not None else default_names(self._axes, values)
        texts = [values.get(name) for name in used]
        if None in texts:
            return "", "missing"
        made = template.fill(values) if template is not None else "-".join(map(str, texts))
        if not all(texts):
            return made, "empty"
        return made, None if _VALUES.fullmatch(made) else ""

    @cached_property
    def _key_template(self) -> Template | None:
        return Template(self._entry["key"]) if self._entry.get("key") else None

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

    def _rollout(self) -> Rollout | None:
        given = self._entry.get("rollout")
        if given is None:
            return None
        pilot, at_once = given.get("pilot", 0), given.get("atOnce")
        picks = isinstance(pilot, list)
        return Rollout(
            0 if picks else int(pilot),  # 1e2 is an integer, too
            picks,
            int(at_once) if at_once is not None else None,
            int(given.get("stopAfter", 1)),
        )

    # Findings

    def _at(self, path: Path) -> nodes.Node | None:
        return nodes.node_at(self._node, path)

    def _report(self, code: Code, path: Path, case: str = "", facts: Facts = NO_FACTS) -> None:
        self._made.findings.append(Finding(code, (*self._path, *path), case, facts))

    def _report_at_row(self, code: Code, row: Row | None, case: str, facts: Facts) -> None:
        path = (*self._path, "key") if "key" in self._entry else self._path
        found = Finding(code, path, case, facts)
        self._made.findings.append(found if row is None else found.at_row(row.file, row.line))

    def _has_errors(self) -> bool:
        return any(found.is_error for found in self._made.findings)


def _wrong_options(entry: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    """Errors for options that require another option, and for templates where none are allowed."""
    for name in _OF_EVERY:
        if name in entry and "every" not in entry:
            shown, facts = (*path, "every"), {"name": name}
            yield Finding(Code.MISSING_PROPERTY, path, "every", facts, on_key=True, shown=shown)
    axes = set(entry.get("forEach", {})) - _RESERVED
    if "forEach" in entry and not axes:
        yield Finding(Code.MISSING_PROPERTY, (*path, "forEach"), "axis", on_key=True)
    if "key" in entry and "forEach" not in entry:
        shown, facts = (*path, "forEach"), {"name": "key"}
        yield Finding(Code.MISSING_PROPERTY, path, "forEach", facts, on_key=True, shown=shown)
    for name in sorted(_WITHOUT_TEMPLATES):
        for below, text in templates_in(entry.get(name)):
            facts = {"text": text}
            yield Finding(Code.INVALID_TEMPLATE, (*path, name, *below), "place", facts)
