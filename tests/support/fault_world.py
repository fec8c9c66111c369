"""The tasks of the fault server: a small agent task service in memory."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from reconciler.model.fields import FIELDS, PATCHED
from tests.support.references import Sent, reference_in, without_reference

References = Literal["kept", "stripped", "cut", "redacted"]
_CREDENTIAL = re.compile(r"AKIA[0-9A-Z]{16}|(?<=password=)\S+")
_SETTINGS = {f.name: f.default for f in FIELDS if f.sent and f.returned}
_SETTINGS["approvalMode"] = "balanced"  # the organization's


@dataclass
class Habits:
    """How the service behaves without faults; everything can be changed while it runs.

    `clock_offset`: the seconds by which its clock is ahead. `list_lag`: the seconds, by its own
    clock, until the list (and nothing else) shows a new task. `latency`: the seconds that each
    response takes. `references`: how the last line of a prompt is returned: kept, stripped, cut
    short, or redacted. `redact`: credentials in a message are replaced. `tokens`: user IDs by
    token; empty: any token is valid and is a user of its own. `orgs`: the existing organizations;
    empty: any. `budget`: the JSON value of the Neo token budget; None: 404. `begins_empty`: the
    first page of the list has no tasks, only the token of the next page.
    """

    clock_offset: float = 0.0
    list_lag: float = 0.0
    latency: float = 0.0
    references: References = "kept"
    redact: bool = False
    tokens: dict[str, str] = field(default_factory=dict)
    orgs: tuple[str, ...] = ()
    default_org: str = "acme"
    budget: object = None
    begins_empty: bool = False


@dataclass
class Task:
    seq: int
    id: str
    org: str
    user: str
    work: str
    prompt: str
    committed: float
    shown: dict[str, Any]
    events: list[dict[str, Any]]


class ProblemError(Exception):
    """A response other than 2xx."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class World:
    """All tasks, and the operations of the endpoints. Thread-safe."""

    def __init__(self, habits: Habits, clock: Callable[[], float] = time.time) -> None:
        self.habits = habits
        self.tasks: list[Task] = []
        self.by_id: dict[str, Task] = {}
        self._clock = clock
        self._lock = threading.Lock()
        self._grown = threading.Condition(self._lock)

    def now(self) -> float:
        """The service's clock, in seconds since the epoch."""
        return self._clock() + self.habits.clock_offset

    def moment(self) -> str:
        return _text(datetime.fromtimestamp(self.now(), UTC))

    def user_of(self, authorization: str) -> str:
        scheme, _, token = authorization.partition(" ")
        if scheme != "token" or not token:
            raise ProblemError(401, "Unauthorized: No credentials provided or are invalid.")
        if not self.habits.tokens:
            return "user-" + hashlib.sha256(token.encode()).hexdigest()[:12]
        user = self.habits.tokens.get(token)
        if user is None:
            raise ProblemError(401, "Unauthorized: No credentials provided or are invalid.")
        return user

    def user(self, user: str) -> dict[str, Any]:
        return {"id": user, "githubLogin": f"{user}-login", "name": user, "organizations": []}

    def check_org(self, org: str) -> None:
        if self.habits.orgs and org not in self.habits.orgs:
            raise ProblemError(404, f"Not Found: Organization '{org}' not found")

    def create(self, user: str, org: str, body: Mapping[str, Any]) -> dict[str, Any]:
        message = body.get("message")
        content = message.get("content") if isinstance(message, Mapping) else None
        if not isinstance(message, Mapping) or not isinstance(content, str) or not content.strip():
            raise ProblemError(400, "Bad Request: prompt is required")
        with self._lock:
            seq = self.tasks[-1].seq + 1 if self.tasks else 1
            task_id = str(uuid.UUID(int=seq << 64 | uuid.uuid4().int & (1 << 64) - 1))
            shown = self._shown(task_id, user, message, body)
            events = self._events(seq, message)
            work = _work(message)
            task = Task(seq, task_id, org, user, work, content, self.now(), shown, events)
            self.tasks.append(task)
            self.by_id[task_id] = task
            self._grown.notify_all()
        return {"taskId": task_id}

    def list_tasks(self, user: str, org: str, query: Mapping[str, str]) -> dict[str, Any]:
        size = _page_size(query)
        newest_first = query.get("sortDirection", "desc") == "desc"
        after = _offset(query)
        horizon = self.now() - self.habits.list_lag
        with self._lock:
            seen = [
                t
                for t in self.tasks
                if t.org == org and self._sees(user, t) and t.committed <= horizon
            ]
        seen.sort(key=lambda t: t.seq, reverse=newest_first)
        if after is None and self.habits.begins_empty and newest_first and seen:
            return {"tasks": [], "continuationToken": _token(seen[0].seq + 1)}
        if after is not None:
            seen = [t for t in seen if (t.seq < after if newest_first else t.seq > after)]
        page = seen[:size]
        more = len(seen) > size
        return {
            "tasks": [dict(t.shown) for t in page],
            "continuationToken": _token(page[-1].seq) if more else None,
        }

    def get(self, user: str, org: str, task_id: str) -> dict[str, Any]:
        return dict(self._find(user, org, task_id).shown)

    def events(self, user: str, org: str, task_id: str, query: Mapping[str, str]) -> dict[str, Any]:
        task, size, start = self._find(user, org, task_id), _page_size(query), _offset(query) or 0
        end = start + size
        more = len(task.events) > end
        return {
            "events": task.events[start:end],
            "continuationToken": _token(end) if more else None,
        }

    def patch(
        self, user: str, org: str, task_id: str, changes: Mapping[str, Any]
    ) -> dict[str, Any]:
        task = self._find(user, org, task_id)
        if task.user != user:
            raise ProblemError(404, "Not Found: task not found or not owned by user")
        with self._lock:
            for name in PATCHED:
                if changes.get(name) is not None:
                    task.shown[name] = changes[name]
        return dict(task.shown)

    def budget(self) -> tuple[int, Any]:
        if self.habits.budget is None:
            raise ProblemError(404, "Not Found: no Neo token cap applies to this organization")
        return 200, self.habits.budget

    def tasks_by_work(self) -> dict[str, list[str]]:
        """Task IDs by work: the prompt without its reference, and its entities."""
        found: dict[str, list[str]] = {}
        with self._lock:
            for task in self.tasks:
                found.setdefault(task.work, []).append(task.id)
        return found

    def references(self) -> dict[str, list[Sent]]:
        """The references of tasks that taskctl has created, by work."""
        found: dict[str, list[Sent]] = {}
        with self._lock:
            for task in self.tasks:
                if (reference := reference_in(task.prompt)) is not None:
                    found.setdefault(task.work, []).append(reference)
        return found

    def wait_for_tasks(self, number: int) -> None:
        with self._grown:
            self._grown.wait_for(lambda: len(self.tasks) >= number)

    def _sees(self, user: str, task: Task) -> bool:
        return task.user == user or task.shown.get("isShared") is True

    def _find(self, user: str, org: str, task_id: str) -> Task:
        with self._lock:
            task = self.by_id.get(task_id)
        if task is not None and task.org == org and self._sees(user, task):
            return task
        raise ProblemError(404, "Not Found: task")

    def _shown(
        self, task_id: str, user: str, message: Mapping[str, Any], body: Mapping[str, Any]
    ) -> dict[str, Any]:
        diff = message.get("entity_diff") or {}
        return {
            "id": task_id,
            "name": str(message["content"]).strip().splitlines()[0][:60],
            "status": "running",
            "createdAt": self.moment(),
            "createdBy": {"name": user, "githubLogin": f"{user}-login", "avatarUrl": ""},
            "entities": list(diff.get("add") or []),
            "isShared": False,
            **_SETTINGS,
            **{n: body[n] for n in _SETTINGS if body.get(n) is not None},
            "taskType": "sync",
            "tokensUsed": 0,
            "someNewerField": {"kept": True},
        }

    def _events(self, seq: int, message: Mapping[str, Any]) -> list[dict[str, Any]]:
        content = self._returned(str(message["content"]))
        said = {
            **message,
            "type": "user_message",
            "content": _CREDENTIAL.sub("[REDACTED]", content) if self.habits.redact else content,
        }
        start = {"type": "someNewerEvent", "timestamp": self.moment()}
        return [
            {"id": f"{seq}-0", "type": "systemNote", "isSynthetic": True, "eventBody": start},
            {"id": f"{seq}-1", "type": "userInput", "isSynthetic": False, "eventBody": said},
        ]

    def _returned(self, prompt: str) -> str:
        """The prompt, as the service shows it."""
        match self.habits.references:
            case "kept":
                return prompt
            case "stripped":
                return without_reference(prompt)
            case "cut":
                return prompt[:-6]
            case "redacted":
                head, _, line = prompt.rpartition("\n")
                return f"{head}\n{line.partition(' ')[0]} [REDACTED]"


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _work(message: Mapping[str, Any]) -> str:
    added = (message.get("entity_diff") or {}).get("add") or []
    text = without_reference(str(message["content"]))
    return f"{text}\n{json.dumps(added, sort_keys=True)}" if added else text


def _page_size(query: Mapping[str, str]) -> int:
    text = query.get("pageSize", "100")
    size = int(text) if text.isdigit() else 0
    if not 1 <= size <= 1000:
        raise ProblemError(400, "Bad Request: pageSize must be between 1 and 1000")
    return size


def _token(number: int) -> str:
    return base64.b64encode(f"at:{number}+/".encode()).decode()


def _offset(query: Mapping[str, str]) -> int | None:
    token = query.get("continuationToken")
    if not token:
        return None
    try:
        return int(base64.b64decode(token).decode().removeprefix("at:").removesuffix("+/"))
    except ValueError:
        raise ProblemError(400, "Bad Request: invalid continuationToken") from None
