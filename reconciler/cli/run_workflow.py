"""Replaces suggested commands that only the machine user of CI may run, because it owns the tasks.
The setting `run-workflow` names the workflow that runs commands as the machine user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reconciler.app.audience import GITLAB, Audience
from reconciler.app.named_tasks import record_of_id
from reconciler.cli.suggestions import Suggestions
from reconciler.messages.remarks import phrase
from reconciler.model.service import Identity
from reconciler.model.shell import is_task_id, key_word, shell_word
from reconciler.model.wire import console_url
from reconciler.state.model import Record

QUOTE = "'"
_ANSWERS = ("approve", "reject", "say", "cancel")
_EDITS = ("accept", "assign", "close", "dismiss", "init")
COMMANDS = tuple(f"taskctl {c}" for c in ("apply", *(f"state {e}" for e in _EDITS), *_ANSWERS))
"""The beginnings of the commands that only the machine user may run."""

_MODES = {name: name for name in ("update", "replace", "retry")} | {"allow_recreate": "recreate"}
"""The options of apply that are commands of the workflow."""

_NO_INPUT = {"org", "state", "over_budget", "settle_time", "force"}
"""The options for which the workflow has no input."""

_AFTER_MERGING = ("apply", "accept")


class RunWorkflow:
    """Replaces suggested commands that its audience may not run."""

    def __init__(self, audience: Audience, suggestions: Suggestions) -> None:
        self._audience, self._suggestions = audience, suggestions

    def instead(self, command: str, *, shared: bool) -> Sequence[str] | None:
        """The lines to suggest instead of a command; None if the command itself can be suggested.
        Everything in them but commands is a shell comment, so they are safe to paste. `shared`: the
        text is also for other users, for example in a comment on a pull request."""
        completed = self._suggestions.complete(command)
        parsed = self._suggestions.parsed(completed)
        if parsed is None or self._audience.is_embedded:
            return None
        name, own = str(parsed[0].name), parsed[1]
        workflow = self._audience.settings.run_workflow
        is_shared = shared or self._audience.prefers_workflow
        if "address" in own:  # of a state that does not exist yet
            return None
        if name in _ANSWERS:
            return self._answer(completed, name, own, is_shared=is_shared)
        if not is_shared and self._audience.may_apply:
            return None
        fields = self._inputs(name, own)
        if workflow is None or fields is None:
            who = self._audience.settings.apply_as
            return who and [completed, f"# {phrase('run.apply_as', who=shell_word(who))}"]
        lines = self._started(workflow, fields)
        is_later = self._is_plan_of_pull_request and name in _AFTER_MERGING
        return [f"# {phrase('run.merged')}", *lines] if is_later else lines

    def _answer(
        self, completed: str, name: str, own: Mapping[str, Any], *, is_shared: bool
    ) -> Sequence[str] | None:
        """The command for an answer, which only the creator of a task may send."""
        selectors = own.get("selectors") or [own.get("key", "")]
        records = self._records(selectors)
        if not (records and (is_shared or any(map(self._is_of_other, records)))):
            return None
        workflow = self._audience.settings.run_workflow
        is_possible = all(self._may_be_of_ci(record.identity) for record in records)
        if workflow is None or own.keys() & _NO_INPUT or not is_possible:
            notes = _by_creator(self._audience.backend, records[0], workflow)
            return [completed, *(f"# {line}" for line in notes)]
        tasks = [key_word(str(records[0].ref))] if len(records) == 1 else selectors
        fields = {"command": name, "tasks": " ".join(tasks)}
        fields |= {"id": own["request"]} if "request" in own else {}
        text = own.get("message") or own.get("text")
        return self._started(workflow, fields | ({"text": text} if text else {}))

    def _inputs(self, name: str, own: Mapping[str, Any]) -> dict[str, str] | None:
        """The inputs for a command; None if the workflow cannot do exactly that."""
        if own.keys() & _NO_INPUT:
            return None
        if name == "init":
            return {"command": name, "id": own.get("state_id", "new")}
        if name in _EDITS:
            found = {"id": own["task_id"]} if "task_id" in own else {}
            return {"command": name, "tasks": own.get("key") or own["task"], **found}
        return _apply_inputs(self._suggestions.options_of_apply(own))

    @property
    def _is_plan_of_pull_request(self) -> bool:
        return self._suggestions.name == "plan" and self._audience.is_pull_request

    def _records(self, selectors: Sequence[str]) -> list[Record]:
        """The selected records; none if a key is ambiguous. An unknown ID belongs to a duplicate
        that this run has created."""
        found: list[Record] = []
        caller = self._audience.identity
        for selector in selectors:
            records = self._audience.tasks.named(selector)
            if len(records) > 1:
                return []
            records = records or self._audience.tasks.selected(selector)
            org_name, slash, task_id = selector.partition("/")
            if not records and slash and is_task_id(task_id) and caller is not None:
                records = [record_of_id(org_name, task_id, caller)]
            found += records
        return found

    def _is_of_other(self, record: Record) -> bool:
        """Whether another user created the task; False if this run has not read who its user is."""
        caller = self._audience.identity
        return caller is not None and caller.id != record.identity.id

    def _may_be_of_ci(self, creator: Identity) -> bool:
        """Whether the workflow's user is the creator, or may be: of some creators, only the login
        is known, and `apply-as` may not be a login."""
        settings = self._audience.settings
        is_known = not creator.id.startswith("login:") or (settings.apply_as or "")[:6] == "login:"
        return settings.applies_as(creator) or not is_known

    def _started(self, workflow: str, fields: Mapping[str, str]) -> list[str]:
        """The command that starts the workflow."""
        project = self._audience.project
        if workflow == GITLAB:
            words = ["glab", "ci", "run", "-R", f"https://{project.name or 'HOST/PROJECT'}"]
            words += ["-b", project.branch]
            for name, value in fields.items():  # the text becomes part of a quoted YAML string
                words += ["-i", f"{name}:{value.replace(QUOTE, QUOTE * 2)}"]
            return [" ".join(map(shell_word, words))]
        words = ["gh", "workflow", "run", workflow]
        words += ["-R", project.name] if project.name else []
        for name, value in fields.items():
            words += ["-f", f"{name}={value}"]
        return [" ".join(map(shell_word, words))]


def _apply_inputs(own: Mapping[str, Any]) -> dict[str, str] | None:
    """The inputs of the workflow for an apply with these options and PATHs; None if the workflow
    cannot do exactly that. An input `tasks` limits the apply to these tasks."""
    modes = [name for name in _MODES if own.get(name)]
    if len(modes) > 1:
        return None
    mode = next(iter(modes), "")
    named = list(
        own[mode] if mode in ("replace", "retry", "allow_recreate") else own.get("target", ())
    )
    named = [] if named == ["*"] else named
    task_id = ""
    if any("=" in name for name in named):
        if len(named) > 1:
            return None
        named[0], _, task_id = named[0].partition("=")
    if own.get("paths") and not named:  # it would do more than was shown
        return None
    fields = {"command": _MODES.get(mode, "apply"), "tasks": " ".join(named), "id": task_id}
    fields["max-creates"] = str(own.get("max_creates", ""))
    return {name: value for name, value in fields.items() if value}


def _by_creator(backend: str, record: Record, workflow: str | None) -> Iterator[str]:
    creator = shell_word(record.identity.name)
    url = console_url(backend, record.ref.org_name, record.task_id)
    yield phrase("run.creator", creator=creator, url=url or record.task_id)
    if workflow is None:
        yield phrase("run.workflow")
