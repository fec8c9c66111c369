"""What an answer, `cancel`, `accept` or `init` is about: shown to reviewers, and compared before it
is done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from requested import InputError, Requested, is_id

ENDED = ("done", "failed", "unmet", "unknown", "stopped", "cancelled", "toMerge")
"""The statuses of tasks that cannot be cancelled."""

CHANGED = "this is no longer what the preview showed: start the workflow again"


@dataclass(frozen=True)
class About:
    """The tasks of a request, as a document of taskctl has them. `request` is the open request that
    is answered, `lost` the document of a dry run that continues a lost state."""

    requested: Requested
    tasks: tuple[Mapping[str, Any], ...]
    request: Mapping[str, Any] | None = None
    lost: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, requested: Requested, document: Mapping[str, Any]) -> About:
        """Raises InputError if a name is not that of a task, or if the request is not open."""
        listed = {ref_of(task): task for task in document["tasks"]}
        if requested.continues:
            return cls(requested, tuple(listed.values()), lost=document)
        if requested.command == "accept":
            changed = [task for task in listed.values() if task["action"] == "changed"]
            return cls(requested, tuple(changed))
        tasks = tuple(listed[ref] for ref in requested.select(listed))
        return cls(requested, tasks, _request(requested, tasks[0]) if requested.id else None)

    @property
    def refs(self) -> list[str]:
        return [ref_of(task) for task in self.tasks]

    @property
    def has_changes(self) -> bool:
        """Whether there is something to do."""
        if self.lost:
            return bool(self.lost["changed"])
        if self.requested.command != "cancel":
            return bool(self.tasks)
        return any(task["status"] not in ENDED for task in self.tasks)

    @property
    def digest(self) -> str:
        """Differs if the request is about another task, question or difference."""
        tasks = [[ref_of(task), task["taskId"], task.get("diff")] for task in self.tasks]
        facts = [self.requested.command, tasks, *self.without_task, self._approval]
        text = json.dumps(facts, sort_keys=True)
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    def check(self, digest: str) -> None:
        """Raises InputError unless this is what the preview with that digest showed."""
        if not digest:
            raise InputError("the digest of the preview is required (expect-plan)")
        if digest != self.digest:
            raise InputError(CHANGED)

    @property
    def without_task(self) -> tuple[list[str], list[str]]:
        """The declared keys that have no task once the lost state is continued, and the
        organizations of which nothing is known."""
        return self.lost.get("missing", []), self.lost.get("notListed", [])

    @property
    def question(self) -> str:
        """What the agent asks for, in its own words: its message, its plan and its changes."""
        context = self._approval.get("context")
        context = context if isinstance(context, dict) else {}
        diffs = context.get("git_diff")
        parts = [self._approval.get("message"), context.get("plan_description")]
        for name, patch in diffs.items() if isinstance(diffs, dict) else ():
            parts.append(f"{name}\n{patch}")
        return "\n\n".join(part.strip() for part in parts if isinstance(part, str) and part.strip())

    @property
    def wants(self) -> str:
        """What the request needs."""
        return "an answer" if (self.request or {}).get("wants") == "answer" else "an approval"

    @property
    def _approval(self) -> Mapping[str, Any]:
        """The event of the request; empty without one."""
        if self.request is None:
            return {}
        (task,) = self.tasks
        approvals: list[dict[str, Any]] = task["approvals"]
        return next((each for each in approvals if each.get("id") == self.requested.id), {})


def ref_of(task: Mapping[str, Any]) -> str:
    return f"{task['orgName']}/{task['key']}"


def _request(requested: Requested, task: Mapping[str, Any]) -> Mapping[str, Any]:
    """The open request with the ID. Raises InputError if there is none, or if it needs another
    answer."""
    wanted, ref = requested.id, ref_of(task)
    requests: list[dict[str, Any]] = task["waitingFor"]
    found = next((each for each in requests if each["requestId"] == wanted), None)
    if found is None:
        raise InputError(f"{ref} has no open request {wanted}: {_open(task)}")
    is_question = found["wants"] == "answer"
    if requested.command == "approve" and is_question and not requested.text.strip():
        raise InputError(f"{ref} asks a question: the input text is required")
    if requested.command == "approve" and not is_question and requested.text:
        raise InputError(f"{ref} asks no question: the input text must be empty")
    return found


def _open(task: Mapping[str, Any]) -> str:
    ids = [str(each["requestId"]) for each in task["waitingFor"] if each["requestId"]]
    ids = [each for each in ids if is_id(each)]
    return f"open are {', '.join(ids)}" if ids else f"it is {task['status']}"
