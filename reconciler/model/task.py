"""Values that all packages share: desired tasks, remote tasks, identities, first messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any, ClassVar, NamedTuple

from reconciler.memory import value
from reconciler.model.canonical import digest
from reconciler.model.diagnostics import NOWHERE, Place

Inputs = Mapping[str, Any]
"""The settings that a task is created with: JSON values under Pulumi's own names.

`message` is always an object, `{"content": str, "entity_diff"?: {...}, "commands"?: {...}}`. `name`
and `isShared` are included (a PATCH right after the create sets them). Never included: null values,
`orgName`, `taskID`, `movedFrom`, `adopt`, `message.type` and `message.timestamp`.
"""


class TaskRef(NamedTuple):
    """A task key in its organization, which stands for one task at the service."""

    org_name: str
    key: str

    def __str__(self) -> str:
        return f"{self.org_name}/{self.key}"

    @staticmethod
    def has_org(text: str) -> bool:
        """Whether a text, or a glob, is `ORG/KEY` and not `KEY`. (A generated key may have slashes
        after its `@`.)"""
        return "/" in text.partition("@")[0]

    @classmethod
    def parse(cls, text: str) -> TaskRef:
        """From `ORG/KEY`, the form in the state file."""
        org_name, _, key = text.partition("/")
        return cls(org_name, key)


class TaskId(NamedTuple):
    """A task at the service, which finds IDs within an organization."""

    org_name: str
    id: str


@dataclass(frozen=True, slots=True)
class Identity:
    """A token's identity. The login may change: all other fields identify it
    (docs/exactly-once.md)."""

    JSON_SHARED: ClassVar[bool] = True  # most records of a state have the same identity

    id: str
    organization: str | None = None
    team: str | None = None
    login: str = ""

    @property
    def name(self) -> str:
        """Its name in messages."""
        return self.login or self.id

    def same_as(self, other: Identity | None) -> bool:
        return other is not None and self._proof() == other._proof()

    def _proof(self) -> tuple[str, str | None, str | None]:
        return (self.id, self.organization or None, self.team or None)


@dataclass(frozen=True, slots=True)
class Rollout:
    """How fast the tasks of an entry may be created. At most `at_once` run concurrently (None: no
    limit). `has_pilot`: some tasks are the pilot, and the others wait for them."""

    has_pilot: bool = False
    at_once: int | None = None
    stop_after: int = 1


@dataclass(frozen=True, slots=True)
class Generated:
    """The key of the entry that a task was generated from, and the task's values and period.

    `values` are by axis (`region`) or field (`stack.name`), in the order of the axes. Records keep
    all of this.
    """

    entry: str
    values: Mapping[str, str] = field(default_factory=dict)
    period: str | None = None


@dataclass(frozen=True, slots=True)
class TaskOrigin:
    """The origin of a generated task, and its entry's rules for it.

    - `template`: the entry's settings before expansion, in the form of a task's inputs.
    - `row_file` and `row_line`: the place of the row of its first axis. Both are None without
      `forEach`; `row_file` is None for a row in the manifest itself.
    - `position`: its index among the tasks of the entry.
    - `waits`: with `overlap: wait`, the tasks of earlier periods must finish first.
    - `begins` and `ends`: the limits of its period. With `catchUp`, `ends` is None, since the task
      may be created at any later time.
    """

    generated: Generated
    template: Mapping[str, object] = field(default_factory=dict)
    row_file: str | None = None
    row_line: int | None = None
    position: int = 0
    rollout: Rollout | None = None
    is_pilot: bool = False
    waits: bool = False
    begins: datetime | None = None
    ends: datetime | None = None


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a task must deliver: at least that many pull requests, and data in its answer that
    satisfies the JSON Schema `data` (None: no data is needed). `at` is its place in a manifest."""

    pull_requests: int = 0
    data: Mapping[str, object] | None = None
    at: Place = field(default=NOWHERE, compare=False)

    @property
    def digest(self) -> str:
        """The digest that a recorded success has."""
        return digest([self.pull_requests, self.data])


@value(frozen=True, slots=True)
class DesiredTask:
    """One task of a manifest, with defaults applied.

    `org_name` is None until the default organization is known; `org_from_manifest` is False then.
    `line` and `column` are the place of its key, from 1. `inputs` has no `message` only if
    `task_id` is given. `sensitive`: reports hide its prompt. `origin` is set if an entry generated
    it. `expect` is what it must deliver, and `after` the names of the tasks before it; neither is
    sent.
    """

    key: str
    org_name: str | None
    inputs: Inputs
    file: str
    line: int
    column: int
    task_id: str | None = None
    moved_from: str | None = None
    adopt: bool = True
    org_from_manifest: bool = True
    sensitive: bool = False
    origin: TaskOrigin | None = None
    expect: Expectation | None = None
    after: tuple[str, ...] = ()

    @property
    def generated(self) -> Generated | None:
        """Its entry, values and period; None if it is not generated."""
        return self.origin.generated if self.origin is not None else None

    @property
    def declared_key(self) -> str:
        """The key in the manifest; for a generated task, its entry's key."""
        return self.key if self.origin is None else self.origin.generated.entry

    @property
    def ref(self) -> TaskRef:
        return TaskRef(self.org_name or "", self.key)


@value(frozen=True, slots=True)
class RemoteTask:
    """A task as the service returns it. `raw` is the whole response, with unknown fields."""

    org_name: str
    id: str
    raw: Mapping[str, object]

    @property
    def name(self) -> str:
        return str(self.raw.get("name") or "")

    @property
    def created_at(self) -> datetime | None:
        return instant(self.raw.get("createdAt"))

    @property
    def creator_login(self) -> str | None:
        creator = self.raw.get("createdBy")
        login = creator.get("githubLogin") if isinstance(creator, Mapping) else None
        return login if isinstance(login, str) and login else None


class Removal(NamedTuple):
    """An item of `removed` in a manifest: a key, or a glob of keys, in one organization (None: the
    default one)."""

    pattern: str
    org_name: str | None
    file: str

    @property
    def is_key(self) -> bool:
        return not any(sign in self.pattern for sign in "*?[")

    def matches(self, org_name: str | None, key: str) -> bool:
        return org_name == self.org_name and fnmatchcase(key, self.pattern)


@value(frozen=True, slots=True)
class FirstMessage:
    """The message that a task was created with, from its events; `mark` is as returned."""

    mark: str
    text: str
    entities: tuple[Mapping[str, object], ...] = ()

    @property
    def instant(self) -> datetime | None:
        return instant(self.mark)


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
    """UTC with milliseconds: `2026-11-24T14:44:49.123Z`."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def entities_of(inputs: Inputs) -> tuple[Mapping[str, object], ...]:
    """The entities of a message (`entity_diff.add`)."""
    diff = (inputs.get("message") or {}).get("entity_diff") or {}
    return tuple(diff.get("add") or ())


def text_of(inputs: Inputs) -> str | None:
    """The prompt; None if the inputs have no message (a task with only a `taskID`)."""
    message = inputs.get("message")
    return message["content"] if message is not None else None
