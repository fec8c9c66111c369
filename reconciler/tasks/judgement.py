"""Reasons why the result of a task is not as expected. Pure.

The data comes from an agent, so reasons contain types, paths and parts of the schema, but never a
value of the data.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, Severity, Violation
from reconciler.model.task import Expectation
from reconciler.tasks.results import ListedPullRequest, NoData

MAX_REASONS = 20
_MAX_SHOWN = 200
_TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
_NAMING = ("properties", "required", "patternProperties", "dependentRequired")

Shortfall = tuple[Code, str, Mapping[str, Any]]
"""The code, the case and the facts of a reason."""


def too_few_pull_requests(count: int, expect: Expectation) -> Iterator[Shortfall]:
    """The reason for a task that lists fewer pull requests than expected."""
    if count < expect.pull_requests:
        facts = {"count": count, "least": expect.pull_requests}
        yield Code.MISSING_PULL_REQUESTS, "", facts


def too_few_merged(listed: Iterable[ListedPullRequest], expect: Expectation) -> Iterator[Shortfall]:
    """The reason for a task with fewer merged pull requests than expected."""
    count = sum(each.is_merged for each in listed)
    if expect.merged and count < expect.pull_requests:
        yield Code.NOT_MERGED, "", {"count": count, "least": expect.pull_requests}


def without_data(why: NoData | None) -> Shortfall:
    """The reason for an answer without data."""
    return Code.MISSING_DATA, (why or NoData.MISSING).value, {}


def mismatches(violations: Iterable[Violation], names: Collection[str]) -> list[Shortfall]:
    """The first reasons why data does not satisfy a schema; `names` are the properties in it."""
    return [
        (Code.INVALID_RESULT, *_mismatch(violation, names))
        for violation in islice(violations, MAX_REASONS)
    ]


def diagnostic(reason: Shortfall, ref: str, at: Place) -> Diagnostic:
    code, case, facts = reason
    severity = Severity.NOTE if code is Code.NOT_MERGED else Severity.ERROR
    return Diagnostic(code, severity, case, {"ref": ref, **facts}, at)


def _mismatch(violation: Violation, names: Collection[str]) -> tuple[str, dict[str, Any]]:
    steps = (step if step in names else "*" for step in violation.path)
    where = "/" + "/".join(map(str, steps))
    value, expected = violation.value, violation.expected
    if violation.rule == "type":
        wanted = expected if isinstance(expected, list) else [expected]
        kinds = tuple(_with_article(str(each)) for each in wanted)
        kind = _with_article(_TYPES.get(type(value), "number"))
        return "type", {"where": where, "expected": kinds, "found": kind}
    if violation.rule == "required" and isinstance(value, dict):
        missing = tuple(str(name) for name in expected if name not in value)
        return "required", {"where": where, "names": missing}
    text = json.dumps(expected, default=str)
    text = text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."
    return "rule", {"where": where, "rule": str(violation.rule), "expected": text}


def _with_article(kind: str) -> str:
    if kind == "null":
        return kind
    return f"{'an' if kind[:1] in 'aio' else 'a'} {kind}"


def property_names(schema: object) -> Iterator[str]:
    """The names of properties in a schema."""
    waiting: list[object] = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            for name in _NAMING:
                listed = part.get(name)
                yield from (
                    (n for n in listed or () if isinstance(n, str))
                    if isinstance(listed, Mapping | Sequence) and not isinstance(listed, str)
                    else ()
                )
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
