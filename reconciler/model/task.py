"""The tasks of manifests, and references to tasks.

`taskctl validate` imports this module, so values that it does not need have their own modules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

from reconciler.model import glob
from reconciler.model.canonical import digest
from reconciler.model.diagnostics import NOWHERE, Place
from reconciler.model.value import Stored, Value, field


class Expectation(Stored, frozen=True):
    """The expected result of a task. `pull_requests` is their minimum number; with `merged`, only
    merged ones count. `data` is a JSON Schema for the data in the answer (None: no data is needed).
    `at` is the location in a manifest."""

    pull_requests: int = 0
    data: Mapping[str, object] | None = None
    merged: bool = False
    at: Place = NOWHERE

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expectation) and self._asks() == other._asks()

    def __hash__(self) -> int:
        return hash(self.digest)

    def _asks(self) -> tuple[object, ...]:
        """The expectation without its location."""
        return self.pull_requests, self.data, self.merged

    @property
    def digest(self) -> str:
        """The digest by which a recorded success refers to this expectation."""
        return digest(list(self._asks()))


Due = Mapping[tuple[str, str], str]
"""The name of the period that may be created (empty: none), by manifest file and key of the
entry."""


class Recurring(Value, frozen=True):
    """The periods of a recurring entry, by name; names sort by date. `upcoming` are the next
    periods, which are not due yet, and `previous` is the last one that is over. `first` and `last`
    are the limits that `from` and `until` set (empty: no limit). `expect` is what its tasks must
    deliver."""

    upcoming: frozenset[str] = frozenset()
    previous: str = ""
    first: str = ""
    last: str = ""
    expect: Expectation | None = None

    def includes(self, period: str) -> bool:
        return self.first <= period and (not self.last or period <= self.last)


class Rollout(Stored, frozen=True):
    """The limits on creating the tasks of an entry.

    - `pilot`: all others wait until that many tasks are done; 0: no number.
    - `picks_pilot`: all others wait until each task with `is_pilot` is done.
    - `at_once`: the maximum number of unfinished tasks; None: no limit.
    - `stop_after`: the number of failed tasks after which no task is created.
    """

    pilot: int = 0
    picks_pilot: bool = False
    at_once: int | None = None
    stop_after: int = 1

    @property
    def has_pilot(self) -> bool:
        return self.picks_pilot or self.pilot > 0


class Generated(Stored, frozen=True):
    """The entry that a task was generated from, and the task's values, in the order of the axes.
    Records keep all of this."""

    entry: str
    values: Mapping[str, str] = field(default_factory=dict)
    period: str | None = None


class TaskOrigin(Stored, frozen=True):
    """The origin of a generated task, and its entry's rules for it.

    - `key`: the part of its key after its entry's key, as a template: `@{{ repo.name }}`.
    - `template`: the entry's settings before expansion, in the form of a task's inputs.
    - `row_file` and `row_line`: the location of the row of its first axis. Both are None without
      `forEach`; `row_file` is None for a row in the manifest itself.
    - `position`: its index among the tasks of the entry.
    - `is_pilot`: a matcher of `pilot` matches it.
    - `waits`: with `overlap: wait`, the tasks of earlier periods must finish first.
    """

    generated: Generated
    key: str = ""
    template: Mapping[str, object] = field(default_factory=dict)
    row_file: str | None = None
    row_line: int | None = None
    position: int = 0
    rollout: Rollout | None = None
    is_pilot: bool = False
    waits: bool = False


Inputs = Mapping[str, Any]
"""The settings that a task is created with: JSON values under Pulumi's own names.

`message` is always an object, `{"content": str, "entity_diff"?: {...}, "commands"?: {...}}`. `name`
and `isShared` are included (a PATCH right after the create sets them). Never included: null values,
`orgName`, `taskID`, `movedFrom`, `message.type` and `message.timestamp`.
"""


class TaskRef(NamedTuple):
    """A task key in its organization, which stands for one task at the service."""

    org_name: str
    key: str

    def __str__(self) -> str:
        return f"{self.org_name}/{self.key}"

    def seen_from(self, other: TaskRef) -> str:
        """Its name in a message about another task: with its organization if that differs."""
        return self.key if self.org_name == other.org_name else str(self)

    @staticmethod
    def has_org(text: str) -> bool:
        """Whether a text, or a glob, is `ORG/KEY` and not `KEY`. (A generated key may have slashes
        after its `@`.)"""
        return "/" in text.partition("@")[0]

    @classmethod
    def parse(cls, text: str) -> TaskRef:
        """Parses `ORG/KEY`, the form in the state file."""
        org_name, _, key = text.partition("/")
        return cls(org_name, key)


def natural(ref: TaskRef) -> tuple[str, str, str]:
    """The sort key for people: numbers in keys as numbers, `repo2` before `repo10`. Files keep the
    order of texts."""
    return ref.org_name, re.sub("[0-9]+", _sortable, ref.key), ref.key


def _sortable(number: re.Match[str]) -> str:
    digits = number[0].lstrip("0")
    return f"{1000 + len(digits)}{digits}"  # longer numbers come later


NO_TASK = TaskRef("", "")


class TaskId(NamedTuple):
    """The ID of a task, which is unique within its organization."""

    org_name: str
    id: str


class DesiredTask(Stored, frozen=True):
    """One task of a manifest, with defaults applied.

    `org_name` is None until the default organization is known; `org_from_manifest` is False then.
    `line` and `column` are the location of its key, from 1. `inputs` may lack `message`, but only
    if `task_id` is given. `origin` is set if an entry generated it. `expect` is what it must
    deliver, and `after` the names of the tasks before it; neither is sent.
    """

    key: str
    org_name: str | None
    inputs: Inputs
    file: str
    line: int
    column: int
    task_id: str | None = None
    moved_from: str | None = None
    org_from_manifest: bool = True
    origin: TaskOrigin | None = None
    expect: Expectation | None = None
    after: tuple[str, ...] = ()

    @property
    def generated(self) -> Generated | None:
        """Its entry, values and period; None if it is not generated."""
        return self.origin.generated if self.origin is not None else None

    @property
    def entry(self) -> TaskRef | None:
        """The entry that generates it, with its organization."""
        made = self.generated
        return TaskRef(self.org_name or "", made.entry) if made is not None else None

    @property
    def declared_key(self) -> str:
        """The key in the manifest; for a generated task, its entry's key."""
        return self.key if self.origin is None else self.origin.generated.entry

    @property
    def ref(self) -> TaskRef:
        return TaskRef(self.org_name or "", self.key)


class Removal(Value, frozen=True):
    """An item of `removed` in a manifest: a key, or a glob of keys, in one organization (None: the
    default)."""

    pattern: str
    org_name: str | None
    file: str

    @property
    def is_key(self) -> bool:
        return not glob.is_glob(self.pattern)

    @property
    def stars(self) -> int:
        """The number of `*` in the glob: a comparison with a key takes time for each."""
        return self.pattern.count(glob.STAR)

    def matches(self, org_name: str | None, key: str) -> bool:
        return org_name == self.org_name and glob.matches(self.pattern, key)


def is_unattended(settings: Mapping[str, object]) -> bool:
    """Whether a task with these settings never asks for approval. Without approvalMode, the
    organization's default applies, which the API does not return. A read-only task may still open
    pull requests."""
    is_limited = settings.get("permissionMode") == "read-only"
    return settings.get("approvalMode") == "auto" and not is_limited


def instant(text: object) -> datetime | None:
    """An RFC 3339 timestamp as an aware UTC datetime; None for anything else, and for Go's zero
    time, which means "never"."""
    if not isinstance(text, str):
        return None
    try:
        parsed = datetime.fromisoformat(text)
        aware = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed
        moment = aware if aware.tzinfo is UTC else aware.astimezone(UTC)
    except (ValueError, OverflowError):  # OverflowError: at either end of the calendar
        return None
    return moment if moment.year > 1 else None


def rfc3339(moment: datetime) -> str:
    """The time in UTC with milliseconds: `2026-11-24T14:44:49.123Z`."""
    with suppress(OverflowError):  # at either end of the calendar
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def entities_of(inputs: Inputs) -> tuple[Mapping[str, object], ...]:
    """The entities of a message (`entity_diff.add`)."""
    diff = (inputs.get("message") or {}).get("entity_diff") or {}
    return tuple(diff.get("add") or ())


def text_of(inputs: Inputs) -> str | None:
    """The prompt; None if the inputs have no message (a task with only a `taskID`)."""
    message = inputs.get("message")
    return message["content"] if message is not None else None
