"""The command that a person requests by starting the workflow `taskctl run`.

Its inputs are read from the file of the event. They are data: none is an option, a PATH or part of
a script.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

OPTIONS = {
    "apply": (),
    "update": ("--update",),
    "replace": ("--replace",),
    "retry": ("--retry",),
    "recreate": ("--allow-recreate",),
}
"""The options of `taskctl apply` for each command that has a plan."""

WAITS = ("apply", "replace", "retry", "recreate")
STATE = ("accept", "assign", "close", "dismiss", "init")
ANSWERS = ("approve", "reject", "say", "cancel")
COMMANDS = (*OPTIONS, *STATE, *ANSWERS)
NEW = "new"
"""The ID for `init` of a state that replaces no lost state."""

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@-]{0,300}")
_GLOB = re.compile(r"[A-Za-z0-9*][A-Za-z0-9._/@*-]{0,300}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")
_NUMBER = re.compile(r"[0-9]{1,6}")
_NEEDS_REQUEST = ("approve", "reject")
_NEEDS_ID = (*_NEEDS_REQUEST, "assign", "init")
_TAKES = {
    "tasks": tuple(name for name in COMMANDS if name != "init"),
    "id": (*_NEEDS_ID, "replace"),
    "text": ("approve", "reject", "say"),
    "max-creates": tuple(OPTIONS),
}
"""The commands that have an input; for all others it must be empty."""


class InputError(Exception):
    """An invalid input; it ends the step."""


@dataclass(frozen=True)
class Requested:
    """A valid request."""

    command: str
    tasks: tuple[str, ...] = ()
    id: str = ""
    text: str = ""
    max_creates: str = ""

    @classmethod
    def of(cls, event: Mapping[str, Any], env: Mapping[str, str]) -> Requested:
        """The command that the event requests. Raises InputError, also unless a person started this
        run."""
        sender = event.get("sender") or {}
        again = env.get("GITHUB_TRIGGERING_ACTOR", "")
        if env.get("GITHUB_EVENT_NAME") != "workflow_dispatch":
            raise InputError("the command run needs the event workflow_dispatch")
        if sender.get("type") != "User" or again.endswith("[bot]"):
            raise InputError("only a person may start this workflow, not an app or a bot")
        inputs = event.get("inputs") or {}
        return cls.of_inputs({name: str(value or "") for name, value in inputs.items()})

    @classmethod
    def of_inputs(cls, given: Mapping[str, str]) -> Requested:
        """The command that these inputs request. Raises InputError if one is invalid."""
        found = cls(
            given.get("command", ""),
            tuple(given.get("tasks", "").split()),
            given.get("id", ""),
            given.get("text", ""),
            given.get("max-creates", ""),
        )
        found._check(given)
        return found

    def _check(self, given: Mapping[str, str]) -> None:
        command = self.command
        if command not in COMMANDS:
            raise InputError(f"the input command must be one of {', '.join(COMMANDS)}")
        for name, commands in _TAKES.items():
            if given.get(name) and command not in commands:
                raise InputError(f"the input {name} must be empty for {command}")
        if command in _NEEDS_ID and not self.id:
            raise InputError(f"the input id is required for {command}")
        if command in ("reject", "say") and not self.text.strip():
            raise InputError(f"the input text is required for {command}")
        if self.text == "TEXT" or self.id in ("TASK_ID", "ID"):
            raise InputError("replace TEXT, TASK_ID and ID in the printed command")
        if self.id and not _ID.fullmatch(self.id):
            raise InputError("the input id is invalid")
        if self.max_creates and not _NUMBER.fullmatch(self.max_creates):
            raise InputError("the input max-creates must be a number")
        self._check_tasks()

    def _check_tasks(self) -> None:
        is_one = self.command in ("close", "dismiss") or bool(self.id)
        form, example = (_KEY, "ORG/KEY") if is_one else (_GLOB, "ORG/KEY, a GLOB or an entry")
        if not all(form.fullmatch(name) for name in self.tasks):
            raise InputError(f"the input tasks must be {example} for {self.command}")
        if self.command in _NEEDS_REQUEST and not all("/" in name for name in self.tasks):
            raise InputError(f"the input tasks must be ORG/KEY for {self.command}")
        if len(self.tasks) != 1 and self.command != "init" and (is_one or self.command == "accept"):
            raise InputError(f"the input tasks must name exactly one for {self.command}")
        if not self.tasks and self.command in ("replace", "retry", "say", "cancel"):
            raise InputError(f"the input tasks is required for {self.command}")

    def select(self, refs: Iterable[str]) -> list[str]:
        """Those of the tasks `ORG/KEY` that the command is for. Raises InputError if one of its
        names is neither a key, a glob nor an entry of them: taskctl would read it as a file."""
        found: dict[str, None] = {}
        listed = list(refs)
        for name in self.tasks:
            exact = [ref for ref in listed if name in (ref, _key_of(ref))]
            matching = exact or [ref for ref in listed if _matches(name, ref)]
            if not matching or not all(_KEY.fullmatch(ref) for ref in matching):
                raise InputError(f"no task in the state has the key {name}")
            found |= dict.fromkeys(matching)
        return list(found)

    @property
    def has_plan(self) -> bool:
        """Whether it is an apply, which has a plan."""
        return self.command in OPTIONS

    @property
    def preview_words(self) -> list[str]:
        """The command line of `taskctl` that previews it; empty if there is none."""
        if self.has_plan:
            return ["plan", "--fail-on=none", *self._plan_words]
        if self.command != "accept":
            return []
        return ["plan", "--fail-on=none", *(f"--target={name}" for name in self.tasks)]

    @property
    def apply_words(self) -> list[str]:
        """The options of its apply."""
        wait = ["--timeout=5h"] if self.command in WAITS else []
        return ["--lock-timeout=10m", *self._plan_words, *wait]

    @property
    def _plan_words(self) -> list[str]:
        """The options of the plan and the apply."""
        return [*self._options(), *(["--wait"] if self.command in WAITS else [])]

    def _options(self) -> Iterator[str]:
        """Each task is the argument of its option, and limits the run to it."""
        for name in self.tasks:
            yield f"--target={name}"
        for option in OPTIONS[self.command]:
            if self.command == "update":
                yield option
            else:
                of = f"={self.id}" if self.id else ""
                yield from (f"{option}={name}{of}" for name in self.tasks or ("*",))
        if self.max_creates:
            yield f"--max-creates={self.max_creates}"

    @property
    def continues(self) -> bool:
        """Whether it records the tasks of a lost state."""
        return self.command == "init" and self.id != NEW

    @property
    def about_words(self) -> list[str]:
        """The command line of `taskctl` whose JSON document has the tasks that it is about."""
        if self.command in ANSWERS:
            return ["status", "--", *self.tasks]
        if self.continues:
            return ["state", "init", "--dry-run", f"--continue={self.id}"]
        return self.preview_words

    @property
    def state_words(self) -> list[str]:
        """The command line that edits the state."""
        words = ["state", self.command, "--lock-timeout=10m"]
        if self.command == "init":
            return [*words, *(["--new"] if self.id == NEW else ["--yes", f"--continue={self.id}"])]
        words += ["--yes"] if self.command == "accept" else []
        return [*words, "--", *self.tasks, *([self.id] if self.id else [])]

    def answer_words(self, refs: Iterable[str]) -> Iterator[list[str]]:
        """The command lines that answer the tasks. A message is never an option or a file."""
        words = [self.command, "--yes"]
        if self.command in _NEEDS_REQUEST:
            words += [f"--request={self.id}", *([f"--message={self.text}"] if self.text else [])]
        if self.command == "say":
            yield from ([*words, "--", ref, "-"] for ref in refs)
        else:
            yield [*words, "--", *refs]


def is_id(text: str) -> bool:
    """Whether it is harmless in a log."""
    return _ID.fullmatch(text) is not None


def _key_of(ref: str) -> str:
    return ref.partition("/")[2]


def _matches(name: str, ref: str) -> bool:
    """Whether a glob or an entry selects the task."""
    return any(
        fnmatchcase(each, name) or each.startswith(f"{name}@") for each in (ref, _key_of(ref))
    )
