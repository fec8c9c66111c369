"""The options of an entry beside its axes and its task: its recurrence. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from reconciler.manifest.expand.periods import Recurrence, Unit
from reconciler.manifest.expand.template import templates_in
from reconciler.manifest.finding import Facts, Finding
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Path

OF_EVERY = ("timezone", "from", "until", "catchUp", "overlap")
OPTIONS = frozenset({"forEach", "every", *OF_EVERY, "key", "rollout"})
"""Properties of an entry that are not part of the generated tasks."""

RESERVED = frozenset({"exclude", "atLeast", "atMost", "period", "previous"})
"""Names below `forEach` that are not axes."""


def recurrence_of(entry: Mapping[str, Any], path: Path, found: list[Finding]) -> Recurrence | None:
    """The recurrence of the entry at `path`, None without `every`. Adds problems to `found`."""
    if "every" not in entry:
        return None

    def wrong(name: str, case: str, facts: Facts) -> None:
        found.append(Finding(Code.INVALID_RECURRENCE, (*path, name), case, facts))

    days: dict[str, date | None] = {"from": None, "until": None}
    for name in days:
        try:
            days[name] = date.fromisoformat(entry[name]) if name in entry else None
        except ValueError:
            wrong(name, "date", {"text": entry[name]})
    name = entry.get("timezone", "UTC")
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        wrong("timezone", "timezone", {"zone": name})
        zone = ZoneInfo("UTC")
    catch_up = int(entry.get("catchUp", 0))
    return Recurrence(Unit(entry["every"]), zone, days["from"], days["until"], catch_up)


def check_options(entry: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    """Options that require another one, and templates where none are allowed."""
    for name in OF_EVERY:
        if name in entry and "every" not in entry:
            yield Finding(Code.MISSING_PROPERTY, path, "every", {"name": name}, on_key=True)
    axes = set(entry.get("forEach", {})) - RESERVED
    if "forEach" in entry and not axes:
        yield Finding(Code.MISSING_PROPERTY, (*path, "forEach"), "axis", on_key=True)
    if "key" in entry and "forEach" not in entry:
        yield Finding(Code.MISSING_PROPERTY, path, "forEach", {"name": "key"}, on_key=True)
    for name in sorted(OPTIONS - {"key"}):
        for below, text in templates_in(entry.get(name)):
            facts = {"text": text}
            yield Finding(Code.INVALID_TEMPLATE, (*path, name, *below), "place", facts)
