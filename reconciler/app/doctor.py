"""`doctor`: read-only checks of the requirements of an apply, other than valid manifests."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from urllib.parse import urlsplit

from reconciler.app.ci import adopting_workflows
from reconciler.app.context import Context
from reconciler.manifest.repository import repository_root
from reconciler.model.codes import Code
from reconciler.model.diagnostics import NOWHERE, Diagnostic, TaskctlError, limited
from reconciler.model.mark import kept
from reconciler.model.remarks import Arg, Remark, remark
from reconciler.model.value import Value
from reconciler.remote.credentials import home, resolve_token
from reconciler.state.attempt import HistoryKind
from reconciler.system.git import refusal_facts, run_git

CLOCK_TOLERANCE = 60
"""Seconds. Dates and periods of entries follow this machine's clock."""

_CREATES = (HistoryKind.CREATED, HistoryKind.REPLACED, HistoryKind.RECREATED)
_NEVER = datetime.min.replace(tzinfo=UTC)


class Check(Value, frozen=True):
    """The result of a check: `remark` is the finding, `diagnostics` the reasons for a failure."""

    name: str
    remark: Remark | None = None
    diagnostics: tuple[Diagnostic, ...] = ()


def doctor(ctx: Context) -> list[Check]:
    """The results of the checks that apply here. After a failure, checks that depend on it are
    omitted. Changes nothing. Raises TaskctlError for an invalid backend."""
    local = ctx.backend.is_local
    checks: list[Check] = []
    failed: set[str] = set()
    for name, check in CHECKS.items():
        if failed.intersection(_NEEDED.get(name, ())) or (local and name in _OF_REMOTE):
            continue
        try:
            if (found := check(ctx)) is not None:
                checks.append(Check(name, found))
        except TaskctlError as problem:
            failed.add(name)
            checks.append(Check(name, diagnostics=problem.diagnostics))
    return checks


def _token(ctx: Context) -> Remark:
    token = resolve_token(ctx.backend, os.environ, home(), ctx.repository)
    return remark("found.token", source=token.source)


def _service(ctx: Context) -> Remark:
    from reconciler.remote.connections import proxy_for

    identity, theirs = ctx.client.identity(), ctx.client.service_clock()
    if theirs is not None:
        seconds = round(abs((ctx.clock.now() - theirs).total_seconds()))
        if seconds > CLOCK_TOLERANCE:
            raise TaskctlError.of(Code.CLOCK_SKEW, seconds=seconds)
    facts: dict[str, Arg] = {"name": ctx.backend.name, "login": identity.login or identity.id}
    proxy = proxy_for(ctx.backend.name)
    if not proxy:
        return Remark("found.service", facts)
    host = urlsplit(proxy if "://" in proxy else f"//{proxy}").hostname or "(unreadable)"
    return Remark("found.service/proxy", {**facts, "proxy": host})


def _state(ctx: Context) -> Remark:
    """The location of the state, and the number of its tasks."""
    location, state = ctx.location, ctx.read_state()
    facts: dict[str, Arg] = {"path": location.display_name, "count": len(state.records)}
    if ctx.is_shared:
        return remark("found.state/shared", **facts, serial=state.serial)
    kind = "" if Path(location.display_name).exists() else "/new"
    return Remark(f"found.state{kind}", facts)


def _git(ctx: Context) -> Remark | None:
    """A checkout of another commit would replace a state file that git tracks."""
    if ctx.is_shared:
        return None
    root = ctx.settings.root
    try:
        inside = run_git(root, "rev-parse", "--is-inside-work-tree", env=os.environ)
    except OSError:  # git is not installed
        return None
    if inside.returncode:
        if (root / ".git").exists():
            reason = inside.stderr.decode(errors="replace").strip().partition("\n")[0]
            case, facts = refusal_facts(reason)
            raise TaskctlError.of(Code.GIT_UNUSABLE, case, at=NOWHERE, **facts)
        return None
    file = ctx.settings.path(ctx.state_address).absolute()
    names = [f":(literal){file}{suffix}" for suffix in ("", ".journal", ".backup")]
    if run_git(root, "ls-files", "-z", "--", *names, env=os.environ).stdout:
        raise TaskctlError.of(Code.STATE_TRACKED, path=ctx.location.display_name)
    return remark("found.git")


def _ci(ctx: Context) -> Remark | None:
    """A workflow that runs automatically must not confirm what only a person can confirm."""
    top = repository_root(ctx.settings.root)
    if top is None:
        return None
    if problems := adopting_workflows(top):
        raise TaskctlError(limited(problems))
    return remark("found.ci")


def _marks(ctx: Context) -> Remark | None:
    """Checks the newest task whose response this identity received."""
    identity = ctx.client.identity()
    own = [
        (entry.at or _NEVER, record.ref, entry)
        for record in ctx.read_state().records.values()
        for entry in record.full_history()
        if entry.task_id == record.task_id
        and entry.mark
        and entry.what in _CREATES
        and record.identity.same_as(identity)
    ]
    if not own:
        return None
    _, ref, entry = max(own, key=itemgetter(0))
    first = ctx.client.first_message(ref.org_name, entry.task_id)
    if first is None:
        return None
    return remark(f"found.marks/{kept(entry.mark, first.mark).value}", key=str(ref))


CHECKS: dict[str, Callable[[Context], Remark | None]] = {
    "token": _token,
    "service": _service,
    "state": _state,
    "git": _git,
    "ci": _ci,
    "marks": _marks,
}
"""The checks, in order. None: there is nothing to check."""

_NEEDED = {"service": ("token",), "marks": ("token", "service", "state")}
"""The checks that a check needs."""

_OF_REMOTE = ("token", "service", "git", "marks")
"""The checks that the embedded service does not need."""
