"""Replaces suggested commands that only the machine user of CI may run, because it owns the tasks.
The setting `run-workflow` names the workflow that runs commands as the machine user."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

from reconciler.app.ci import ci_system
from reconciler.app.context import Context
from reconciler.app.named_tasks import record_of_id
from reconciler.cli.suggestions import Suggestions
from reconciler.messages.remarks import phrase
from reconciler.model.diagnostics import TaskctlError
from reconciler.model.service import Identity
from reconciler.model.shell import is_task_id, key_word, shell_word
from reconciler.model.wire import console_url
from reconciler.state.model import Record
from reconciler.system.git import project_of, run_git

GITLAB = ".gitlab-ci.yml"
QUOTE = "'"
_ANSWERS = ("approve", "reject", "say", "cancel")
_EDITS = ("accept", "assign", "close", "dismiss", "init")
_COMMANDS = tuple(f"taskctl {c}" for c in ("apply", *(f"state {e}" for e in _EDITS), *_ANSWERS))
_MODES = {name: name for name in ("update", "replace", "retry")} | {"allow_recreate": "recreate"}
"""The options of apply that are commands of the workflow."""

_NO_INPUT = {"org", "state", "over_budget", "settle_time", "force"}
"""The options for which the workflow has no input."""

_AFTER_MERGING = ("apply", "accept")
_PROJECT = re.compile(r"[\w-][\w.-]*(?::\d+)?(?:/[\w-][\w.-]*){2,20}", re.ASCII)


class RunWorkflow:
    """Replaces suggested commands that the current user may not run."""

    def __init__(self, ctx: Context, suggestions: Suggestions) -> None:
        self._ctx, self._suggestions = ctx, suggestions

    def instead(self, command: str, *, shared: bool) -> Sequence[str] | None:
        """The lines to suggest instead of a command; None if the user may run it, unless the text
        is `shared`, such as a comment. They are safe to copy: everything but commands is a comment
        of the shell."""
        if not command.startswith(_COMMANDS):  # a plan may suggest a command for each task
            return None
        completed = self._suggestions.complete(command)
        parsed = self._suggestions.parsed(completed)
        if parsed is None or self._is_embedded:
            return None
        name, own = str(parsed[0].name), parsed[1]
        workflow = self._ctx.settings.run_workflow
        is_shared = shared or (workflow is not None and ci_system(os.environ) is not None)
        if "address" in own:  # of a state that does not exist yet
            return None
        if name in _ANSWERS:
            return self._answer(completed, name, own, is_shared=is_shared)
        if not is_shared and self._applies:
            return None
        fields = self._inputs(name, own)
        if workflow is None or fields is None:
            who = self._ctx.settings.apply_as
            return who and [completed, f"# {phrase('run.apply_as', who=shell_word(who))}"]
        lines = self._started(workflow, fields)
        is_later = self._is_plan_of_pull_request and name in _AFTER_MERGING
        return [f"# {phrase('run.merged')}", *lines] if is_later else lines

    def _answer(
        self, completed: str, name: str, own: Mapping[str, Any], *, is_shared: bool
    ) -> Sequence[str] | None:
        """The command for an answer, which only the creator of a task may send."""
        record = self._record(next(iter(own.get("selectors", ())), own.get("key", "")))
        if record is None or not (is_shared or self._is_of_other(record)):
            return None
        workflow = self._ctx.settings.run_workflow
        is_possible = not own.keys() & _NO_INPUT and self._may_be_of_ci(record.identity)
        if workflow is None or not is_possible:
            notes = _by_creator(self._ctx, record, workflow)
            return [completed, *(f"# {line}" for line in notes)]
        fields = {"command": name, "tasks": key_word(str(record.ref))}
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
    def _is_embedded(self) -> bool:
        with suppress(TaskctlError):
            return self._ctx.backend.is_local
        return False

    @property
    def _applies(self) -> bool:
        """Whether the user may apply, as far as this run knows the user."""
        who = self._ctx.client.known_identity if self._ctx.has_client else None
        return who is None or self._ctx.settings.applies_as(who)

    @property
    def _is_plan_of_pull_request(self) -> bool:
        is_plan = self._suggestions.name == "plan"
        return is_plan and os.environ.get("GITHUB_EVENT_NAME") == "pull_request"

    def _record(self, key: str) -> Record | None:
        """The only record of a `KEY`, `ORG/KEY` or ID. An unknown ID belongs to a duplicate that
        this run has created."""
        records = self._ctx.known_state.named(key)
        org_name, slash, task_id = key.partition("/")
        if not records and slash and is_task_id(task_id) and self._ctx.has_client:
            return record_of_id(org_name, task_id, self._ctx.client.identity())
        return records[0] if len(records) == 1 else None

    def _is_of_other(self, record: Record) -> bool:
        """False if this run has not read who the user is."""
        try:
            return self._ctx.has_client and self._ctx.client.identity().id != record.identity.id
        except TaskctlError:
            return False

    def _may_be_of_ci(self, creator: Identity) -> bool:
        """Whether the workflow may answer as the creator. Of some creators, only the login is
        known."""
        settings = self._ctx.settings
        is_known = not creator.id.startswith("login:") or (settings.apply_as or "")[:6] == "login:"
        return settings.applies_as(creator) or not is_known

    def _started(self, workflow: str, fields: Mapping[str, str]) -> list[str]:
        """The command that starts the workflow."""
        if workflow == GITLAB:
            words = ["glab", "ci", "run", "-R", f"https://{self._project or 'HOST/PROJECT'}"]
            words += ["-b", os.environ.get("CI_DEFAULT_BRANCH") or self._branch]
            for name, value in fields.items():  # the text becomes part of a quoted YAML string
                words += ["-i", f"{name}:{value.replace(QUOTE, QUOTE * 2)}"]
            return [" ".join(map(shell_word, words))]
        words = ["gh", "workflow", "run", workflow]
        words += ["-R", self._project] if self._project else []
        for name, value in fields.items():
            words += ["-f", f"{name}={value}"]
        return [" ".join(map(shell_word, words))]

    @cached_property
    def _project(self) -> str:
        """`HOST/OWNER/REPOSITORY`, of the CI system or the remote; empty if it is unknown."""
        url = os.environ.get("CI_PROJECT_URL", "")
        if server := os.environ.get("GITHUB_SERVER_URL"):
            url = f"{server}/{os.environ.get('GITHUB_REPOSITORY', '')}"
        found = project_of(url or self._git("remote", "get-url", self._remote))
        return found if _PROJECT.fullmatch(found) else ""

    @property
    def _remote(self) -> str:
        scheme, _, rest = (self._ctx.settings.state or "").partition(":")
        return rest.partition("#")[0] if scheme == "git" else "origin"

    @property
    def _branch(self) -> str:
        ref = self._git("symbolic-ref", "--short", f"refs/remotes/{self._remote}/HEAD")
        return ref.removeprefix(f"{self._remote}/") or "main"

    def _git(self, *words: str) -> str:
        try:
            done = run_git(self._ctx.settings.root, *words, env=os.environ)
        except OSError:
            return ""
        return os.fsdecode(done.stdout).strip()


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


def _by_creator(ctx: Context, record: Record, workflow: str | None) -> Iterator[str]:
    creator = shell_word(record.identity.name)
    url = console_url(ctx.backend.name, record.ref.org_name, record.task_id)
    yield phrase("run.creator", creator=creator, url=url or record.task_id)
    if workflow is None:
        yield phrase("run.workflow")
