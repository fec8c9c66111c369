"""How to answer a task that the current user did not create: only its creator may, and the creator
of what CI created is a machine user. The configuration names the workflow that answers as it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from urllib.parse import quote, urlsplit

from reconciler.app.context import Context
from reconciler.app.named_tasks import record_of_id
from reconciler.cli.suggestions import Suggestions
from reconciler.messages.remarks import phrase
from reconciler.model.diagnostics import TaskctlError
from reconciler.model.service import Identity
from reconciler.model.shell import is_task_id, key_word, shell_word
from reconciler.model.wire import console_url
from reconciler.state.model import Record
from reconciler.system.git import run_git

_COMMANDS = tuple(f"taskctl {action} " for action in ("approve", "reject", "say", "cancel"))
GITLAB = ".gitlab-ci.yml"
_PROJECT = re.compile(r"[\w-][\w.-]*(?::\d+)?(?:/[\w-][\w.-]*){2,20}", re.ASCII)
_SCP = re.compile(r"(?:[\w.-]+@)?([\w.-]+):(?!//)/?(.+)", re.ASCII)


class Answers:
    """Replaces suggested commands that the current user may not run."""

    def __init__(self, ctx: Context, suggestions: Suggestions) -> None:
        self._ctx, self._suggestions = ctx, suggestions

    def instead(self, command: str, *, shared: bool) -> Sequence[str] | None:
        """The lines to suggest instead of a command; None if the user may run it, unless the text
        is `shared`, such as a comment. They are safe; what is not a command is a comment of the
        shell, because it stands where users copy commands."""
        if not command.startswith(_COMMANDS):  # a plan may suggest a command for each task
            return None
        parsed = self._suggestions.parsed(command)
        if parsed is None:
            return None
        action, own = str(parsed[0].name), parsed[1]
        record = self._record(next(iter(own.get("selectors", ())), own.get("key", "")))
        if record is None or not (shared or self._is_of_other(record)):
            return None
        workflow = self._ctx.settings.answer_workflow
        # No workflow forces anything.
        if workflow is None or "force" in own or not self._may_be_of_ci(record.identity):
            return [f"# {line}" for line in _by_creator(self._ctx, record, workflow)]
        fields = {"key": key_word(str(record.ref)), "action": action}
        fields |= {"request": own["request"]} if "request" in own else {}
        message = own.get("message") or own.get("text")
        fields |= {"message": message} if message else {}
        return [self._pipeline(fields) if workflow == GITLAB else self._run(workflow, fields)]

    def _record(self, key: str) -> Record | None:
        """The only record of a `KEY`, `ORG/KEY` or ID. An unknown ID is that of a duplicate, which
        this run has created."""
        records = self._ctx.known_state.named(key)
        org_name, slash, task_id = key.partition("/")
        if not records and slash and is_task_id(task_id) and self._ctx.has_client:
            return record_of_id(org_name, task_id, self._ctx.client.identity())
        return records[0] if len(records) == 1 else None

    def _is_of_other(self, record: Record) -> bool:
        """False if this run has not asked who the user is."""
        try:
            return self._ctx.has_client and self._ctx.client.identity().id != record.identity.id
        except TaskctlError:
            return False

    def _may_be_of_ci(self, creator: Identity) -> bool:
        """Whether the workflow may answer as the creator; of some, only the login is known."""
        settings = self._ctx.settings
        is_known = not creator.id.startswith("login:") or (settings.apply_as or "")[:6] == "login:"
        return settings.applies_as(creator) or not is_known

    def _run(self, workflow: str, fields: Mapping[str, str]) -> str:
        words = ["gh", "workflow", "run", workflow]
        words += ["-R", self._project] if self._project else []
        for name, value in fields.items():
            words += ["-f", f"{name}={value}"]
        return " ".join(map(shell_word, words))

    def _pipeline(self, fields: Mapping[str, str]) -> str:
        variables = {f"var[TASKCTL_{name.upper()}]": value for name, value in fields.items()}
        query = {"ref": os.environ.get("CI_DEFAULT_BRANCH") or self._branch, **variables}
        text = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        return f"https://{self._project or 'HOST/PROJECT'}/-/pipelines/new?{text}"

    @cached_property
    def _project(self) -> str:
        """`HOST/OWNER/REPOSITORY`, of the CI system or the remote; empty if neither has one."""
        url = os.environ.get("CI_PROJECT_URL", "")
        if server := os.environ.get("GITHUB_SERVER_URL"):
            url = f"{server}/{os.environ.get('GITHUB_REPOSITORY', '')}"
        found = _project_of(url or self._git("remote", "get-url", self._remote))
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


def _by_creator(ctx: Context, record: Record, workflow: str | None) -> Iterator[str]:
    creator = shell_word(record.identity.name)
    url = console_url(ctx.backend.name, record.ref.org_name, record.task_id)
    yield phrase("answer.creator", creator=creator, url=url or record.task_id)
    if workflow is None:
        yield phrase("answer.workflow")


def _project_of(url: str) -> str:
    """`HOST/OWNER/REPOSITORY` of a remote's URL, in each of git's forms."""
    parts = urlsplit(url)
    if parts.scheme in ("https", "http", "ssh", "git") and parts.hostname:
        port = f":{parts.port}" if parts.port and parts.scheme.startswith("http") else ""
        host, path = f"{parts.hostname}{port}", parts.path
    elif found := _SCP.fullmatch(url):
        host, path = found.groups()
    else:
        return ""
    return f"{host}/{path.strip('/').removesuffix('.git')}"
