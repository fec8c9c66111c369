"""`doctor`: read-only checks of everything that an apply needs.

A check that cannot run is skipped; only a failed check makes the command fail.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from reconciler.app.ci import adopting_workflows, ci_system, run_by_workflows
from reconciler.app.claims import refuse_other_claims
from reconciler.app.context import Context
from reconciler.manifest.repository import repository_root
from reconciler.model.codes import Code
from reconciler.model.diagnostics import (
    NOWHERE,
    Diagnostic,
    RemoteError,
    Severity,
    TaskctlError,
    limited,
)
from reconciler.model.mark import kept
from reconciler.model.remarks import Arg, Remark, remark
from reconciler.model.value import Value, replace
from reconciler.state.attempt import HistoryKind
from reconciler.system.git import refusal_facts, run_git

if TYPE_CHECKING:
    from reconciler.model.task import DesiredTask

CLOCK_TOLERANCE = 60
"""Seconds. Dates and periods of entries follow this machine's clock."""

_REFUSED = (401, 403)
_CREATES = (HistoryKind.CREATED, HistoryKind.REPLACED, HistoryKind.RECREATED)
_NEVER = datetime.min.replace(tzinfo=UTC)


class Outcome(StrEnum):
    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


class Check(Value, frozen=True):
    """The result of one check. `remark` says what it found, or why it was skipped; `diagnostics`
    are why it failed."""

    name: str
    outcome: Outcome
    remark: Remark | None = None
    diagnostics: tuple[Diagnostic, ...] = ()


class _SkippedError(Exception):
    """The check cannot run; the argument is the reason."""


def doctor(ctx: Context) -> list[Check]:
    """Runs all checks, in order. Changes nothing."""
    checks = _Checks(ctx)
    return [checks.run(name, check) for name, check in CHECKS.items()]


class _Checks:
    """A method for each check, which returns what it found."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._passed: set[str] = set()
        self._tasks: tuple[DesiredTask, ...] = ()

    def run(self, name: str, check: Callable[[_Checks], Remark]) -> Check:
        try:
            found = check(self)
        except _SkippedError as reason:
            return Check(name, Outcome.SKIPPED, remark(f"skipped.{reason}"))
        except TaskctlError as problem:
            return Check(name, Outcome.FAILED, diagnostics=problem.diagnostics)
        self._passed.add(name)
        return Check(name, Outcome.OK, found)

    def _needs(self, *names: str) -> None:
        """Skips the current check unless these have succeeded."""
        if not self._passed.issuperset(names):
            raise _SkippedError("earlier")

    def _needs_service(self) -> None:
        self._needs("backend")
        if self._ctx.backend.is_local:
            raise _SkippedError("local")

    def backend(self) -> Remark:
        backend = self._ctx.backend
        return remark("found.backend", name=backend.name, source=backend.source)

    def token(self) -> Remark:
        from reconciler.remote.credentials import home, resolve_token

        self._needs_service()
        token = resolve_token(self._ctx.backend, os.environ, home(), self._ctx.repository)
        return remark("found.token", source=token.source)

    def connection(self) -> Remark:
        from reconciler.remote.network import proxy_for

        self._needs_service()
        self._needs("token")
        try:
            self._ctx.client.identity()
        except RemoteError as problem:
            if problem.status not in _REFUSED:
                raise
        url = self._ctx.backend.name
        scheme = urlsplit(url).scheme.upper()
        if proxy := proxy_for(url):
            host = urlsplit(proxy if "://" in proxy else f"//{proxy}").hostname
            return remark("found.connection/proxy", scheme=scheme, proxy=host or "(unreadable)")
        return remark("found.connection", scheme=scheme)

    def identity(self) -> Remark:
        self._needs_service()
        self._needs("connection")
        identity = self._ctx.client.identity()
        facts: dict[str, Arg] = {
            "login": identity.login or identity.id,
            "organization": identity.organization,
            "team": identity.team,
        }
        kind = "/team" if identity.team else "/organization" if identity.organization else ""
        return Remark(f"found.identity{kind}", facts)

    def clock(self) -> Remark:
        self._needs_service()
        self._needs("connection")
        theirs = self._ctx.client.service_clock()
        ignored = self._ctx.client.ignored_date()
        if theirs is None and ignored is not None:
            raise TaskctlError([replace(ignored, severity=Severity.ERROR)])
        if theirs is None:
            raise _SkippedError("no-date")
        seconds = round(abs((self._ctx.clock.now() - theirs).total_seconds()))
        if seconds > CLOCK_TOLERANCE:
            raise TaskctlError.of(Code.CLOCK_SKEW, seconds=seconds)
        return remark("found.clock", seconds=seconds)

    def manifests(self) -> Remark:
        manifests = self._ctx.load(())
        if any(problem.code is Code.NO_MANIFESTS for problem in manifests.diagnostics):
            raise _SkippedError("no-manifests")
        if errors := [d for d in manifests.diagnostics if d.severity is Severity.ERROR]:
            raise TaskctlError(limited(errors))
        refuse_other_claims(self._ctx.settings, manifests.files)
        self._ctx.protect(manifests.tasks)
        self._tasks = manifests.tasks
        return remark("found.manifests", tasks=len(manifests.tasks), files=len(manifests.files))

    def organization(self) -> Remark:
        """Those of the manifests; the default one only if a task needs it, or without manifests."""
        self._needs_service()
        self._needs("identity")
        names = {task.org_name for task in self._tasks} or {None}
        default = self._ctx.default_org if None in names else None
        orgs = sorted({name or (default.value if default else "") for name in names} - {""})
        if not orgs:
            raise _SkippedError("no-org")
        problems = [problem for org in orgs for problem in self._problems_of(org)]
        if problems:
            raise TaskctlError(problems)
        if default is not None and len(orgs) == 1:
            return remark("found.organization", name=default.value, source=default.source)
        return remark("found.organization/manifests", names=tuple(orgs))

    def _problems_of(self, org: str) -> tuple[Diagnostic, ...]:
        try:
            next(iter(self._ctx.client.list_tasks(org)), None)
        except TaskctlError as problem:
            return problem.diagnostics
        return ()

    def state(self) -> Remark:
        self._needs("backend")
        location = self._ctx.location
        state = self._ctx.read_state()
        facts: dict[str, Arg] = {"path": location.display_name, "count": len(state.records)}
        if self._ctx.is_shared:
            return remark("found.state/shared", **facts, serial=state.serial)
        kind = "" if Path(location.display_name).exists() else "/new"
        return Remark(f"found.state{kind}", facts)

    def marks(self) -> Remark:
        """From the newest task whose create was answered to this identity."""
        self._needs_service()
        self._needs("identity", "state")
        identity = self._ctx.client.identity()
        own = [
            (entry.at or _NEVER, record.ref, entry)
            for record in self._ctx.read_state().records.values()
            for entry in record.full_history()
            if entry.task_id == record.task_id
            and entry.mark
            and entry.what in _CREATES
            and record.identity.same_as(identity)
        ]
        if not own:
            raise _SkippedError("no-created")
        _, ref, entry = max(own, key=itemgetter(0))
        first = self._ctx.client.first_message(ref.org_name, entry.task_id)
        if first is None:
            raise _SkippedError("no-message")
        return remark(f"found.marks/{kept(entry.mark, first.mark).value}", key=str(ref))

    def cache(self) -> Remark:
        folder = self._ctx.caches.folder
        if folder is None:
            raise _SkippedError("no-cache")
        return remark("found.cache", path=str(folder))

    def git(self) -> Remark:
        self._needs_service()
        if self._ctx.is_shared:
            raise _SkippedError("shared")
        if shutil.which("git") is None:
            raise _SkippedError("no-git")
        inside = run_git(
            self._ctx.settings.root, "rev-parse", "--is-inside-work-tree", env=os.environ
        )
        if inside.returncode:
            if (self._ctx.settings.root / ".git").exists():
                reason = inside.stderr.decode(errors="replace").strip().partition("\n")[0]
                case, facts = refusal_facts(reason)
                raise TaskctlError.of(Code.GIT_UNUSABLE, case, at=NOWHERE, **facts)
            raise _SkippedError("no-repository")
        self._refuse_tracked_state()
        return remark("found.git")

    def _refuse_tracked_state(self) -> None:
        """A checkout of another commit would replace it."""
        file = self._ctx.settings.path(self._ctx.state_address).absolute()
        names = [f":(literal){file}{suffix}" for suffix in ("", ".journal", ".backup")]
        root = self._ctx.settings.root
        if run_git(root, "ls-files", "-z", "--", *names, env=os.environ).stdout:
            name = self._ctx.location.display_name
            raise TaskctlError.of(Code.STATE_TRACKED, path=name)

    def ci(self) -> Remark:
        """A runner that uses the state must have a shared one, and laptops the same; and no
        workflow gives an answer that only a person can give."""
        top = repository_root(self._ctx.settings.root)
        if top is not None and (problems := adopting_workflows(top)):
            raise TaskctlError(limited(problems))
        self._needs_service()
        self._needs("state")
        ci, path = ci_system(os.environ), self._ctx.state_address
        if ci is not None and not self._ctx.is_shared:
            raise TaskctlError.of(Code.STATE_ON_RUNNER, path=path, ci=ci)
        if self._ctx.settings.state is not None or top is None:
            raise _SkippedError("shared" if top is not None else "no-repository")
        if (found := run_by_workflows(top)) is not None:
            file, command = found
            raise TaskctlError.of(Code.STATE_ON_RUNNER, "workflow", file=file, command=command)
        return remark("found.ci")


CHECKS = {
    "backend": _Checks.backend,
    "token": _Checks.token,
    "connection": _Checks.connection,
    "identity": _Checks.identity,
    "clock": _Checks.clock,
    "manifests": _Checks.manifests,
    "organization": _Checks.organization,
    "state": _Checks.state,
    "marks": _Checks.marks,
    "cache": _Checks.cache,
    "git": _Checks.git,
    "ci": _Checks.ci,
}
"""The checks, in order."""
