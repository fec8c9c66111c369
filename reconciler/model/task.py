"""The values everyone may use: desired tasks, remote tasks, identities, first messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any, ClassVar, NamedTuple

from reconciler.model.canonical import comparable_text, digest
from reconciler.model.entry import Generated, TaskOrigin

Inputs = Mapping[str, Any]
"""What a task was or is to be made from: JSON values under Pulumi's own names.

`message` is always the object form, `{"content": str, "entity_diff"?: {...}, "commands"?: {...}}`.
`name` and `isShared` belong to it (they are patched right after the create). Never in it: null
values, `orgName`, `taskID`, `movedFrom`, `adopt`, `message.type` and `message.timestamp`.
"""


class TaskRef(NamedTuple):
    """A task key in its organization: what one task at the service is kept for."""

    org_name: str
    key: str

    def __str__(self) -> str:
        return f"{self.org_name}/{self.key}"

    @staticmethod
    def has_org(text: str) -> bool:
        """Whether `KEY` or `ORG/KEY`, or a glob, is the latter: a generated key may have slashes
        after its `@`."""
        return "/" in text.partition("@")[0]

    @classmethod
    def parse(cls, text: str) -> TaskRef:
        """From `ORG/KEY`, the form the state file uses."""
        org_name, _, key = text.partition("/")
        return cls(org_name, key)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token speaks for: the same when all but the login agree (contract, section 1)."""

    JSON_SHARED: ClassVar[bool] = True  # one value for the many records that one identity made

    id: str
    organization: str | None = None
    team: str | None = None
    login: str = ""

    def same_as(self, other: Identity | None) -> bool:
        return other is not None and self._proof() == other._proof()

    def _proof(self) -> tuple[str, str | None, str | None]:
        return (self.id, self.organization or None, self.team or None)


@dataclass(frozen=True, slots=True)
class DesiredTask:
    """One task of a manifest, its defaults applied.

    `org_name` is what the manifest says (None: to be resolved from outside it, after which
    `org_from_manifest` stays False). `line` and `column` are those of its key, from 1.
    `inputs` lacks `message` only where `task_id` is given. `sensitive`: no report shows its prompt.
    `origin`: an entry generates it.
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

    @property
    def generated(self) -> Generated | None:
        """The entry, values and period that made it; None for a task that is written out."""
        return self.origin.generated if self.origin is not None else None

    @property
    def declared_key(self) -> str:
        """The key in the manifest: that of its entry, for a generated task."""
        return self.key if self.origin is None else self.origin.generated.entry

    @property
    def ref(self) -> TaskRef:
        return TaskRef(self.org_name or "", self.key)

    @property
    def work(self) -> str | None:
        return work_of(self.inputs)


@dataclass(frozen=True, slots=True)
class RemoteTask:
    """A task as the service shows it. `raw` is all it sent, unknown fields included."""

    org_name: str
    id: str
    raw: Mapping[str, Any]

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


@dataclass(frozen=True, slots=True)
class Removal:
    """What a manifest lists under `removed`: a key, or a glob of keys, of one organization (None:
    the one that applies if a manifest names none)."""

    pattern: str
    org_name: str | None
    file: str

    @property
    def is_key(self) -> bool:
        return not any(sign in self.pattern for sign in "*?[")

    def matches(self, org_name: str | None, key: str) -> bool:
        return org_name == self.org_name and fnmatchcase(key, self.pattern)


@dataclass(frozen=True, slots=True)
class FirstMessage:
    """The message a task began with, read from its events; `mark` is as the service shows it."""

    mark: str
    text: str
    entities: tuple[Mapping[str, Any], ...] = ()

    @property
    def instant(self) -> datetime | None:
        return instant(self.mark)

    @property
    def work(self) -> str:
        return _work(self.text, self.entities)


def is_unattended(settings: Mapping[str, Any]) -> bool:
    """Whether a task with these settings asks nobody. Without approvalMode the organization's own
    holds, which the service does not tell. A read-only one may still open pull requests."""
    is_limited = settings.get("permissionMode") == "read-only"
    return settings.get("approvalMode") == "auto" and not is_limited


def instant(text: object) -> datetime | None:
    """An RFC 3339 timestamp as an aware UTC datetime; None for anything else, and for the zero time
    of Go, which stands for "never"."""
    if not isinstance(text, str):
        return None
    try:
        parsed = datetime.fromisoformat(text)
        moment = (parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed).astimezone(UTC)
    except (ValueError, OverflowError):  # the latter at either end of the calendar
        return None
    return moment if moment.year > 1 else None


def rfc3339(moment: datetime) -> str:
    """UTC with milliseconds: `2026-11-24T14:44:49.123Z`, the form of every mark we send."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def entities_of(inputs: Inputs) -> tuple[Mapping[str, Any], ...]:
    """The entities that a message asks for (`entity_diff.add`)."""
    diff = (inputs.get("message") or {}).get("entity_diff") or {}
    return tuple(diff.get("add") or ())


def text_of(inputs: Inputs) -> str | None:
    """The prompt; None where the inputs hold no message (a task known by `taskID` alone)."""
    message = inputs.get("message")
    return message["content"] if message is not None else None


def work_of(inputs: Inputs) -> str | None:
    """A digest of the job itself, the prompt and its entities; None without a message.

    Two tasks with the same work do the same thing twice, whatever their settings.
    """
    text = text_of(inputs)
    return None if text is None else _work(text, entities_of(inputs))


def _work(text: str, entities: tuple[Mapping[str, Any], ...]) -> str:
    parts = sorted(digest(_bare(entity)) for entity in entities)
    return digest([comparable_text(text), parts])


def _bare(entity: Mapping[str, Any]) -> dict[str, object]:
    """An entity without its nulls and its unset merged flag: as the service may spell it."""
    return {
        name: _bare(value) if isinstance(value, Mapping) else value
        for name, value in entity.items()
        if value is not None and not (name == "merged" and value is False)
    }
