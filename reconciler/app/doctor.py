"""`doctor`: read-only checks of the requirements of an apply, other than valid manifests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from reconciler.app.context import Context
from reconciler.app.workspace import may_apply
from reconciler.model.codes import Code
from reconciler.model.diagnostics import NOWHERE, Diagnostic, TaskctlError
from reconciler.model.remarks import Arg, Remark, remark
from reconciler.model.value import Value
from reconciler.remote.credentials import home, resolve_token
from reconciler.system.git import refusal_facts, run_git

CLOCK_TOLERANCE = 60
"""Seconds. Dates and periods of entries follow this machine's clock."""


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


def _apply(ctx: Context) -> Remark | None:
    """Whether the configuration lets this user apply. Others may plan."""
    if (required := ctx.settings.apply_as) is None:
        return None
    case, who = "" if may_apply(ctx) else "/other", ctx.client.identity()
    return Remark(f"found.apply{case}", {"required": required, "who": who.name})


def _state(ctx: Context) -> Remark:
    """The location of the state, and the number of its tasks."""
    location, state = ctx.location, ctx.read_state()
    facts: dict[str, Arg] = {"path": location.display_name, "count": len(state.records)}
    if ctx.is_shared:
        return remark("found.state/shared", **facts, serial=state.serial)
    kind = "" if Path(location.display_name).exists() else "/new"
    return Remark(f"found.state{kind}", facts)


def _git(ctx: Context) -> Remark | None:
    """Fails if git tracks the state file: a checkout of another commit would replace it."""
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


def _references(ctx: Context) -> Remark | None:
    """Whether the service shows the reference of the task that this identity created last."""
    identity = ctx.client.identity()
    records = ctx.read_state().records.values()
    own = [each for each in records if each.reference and each.identity.same_as(identity)]
    if not own:
        return None
    last = max(own, key=lambda record: record.number)
    shown = ctx.client.first_message(last.ref.org_name, last.task_id)
    if shown is None:
        return None
    case = "kept" if str(shown.reference) == last.reference else "lost"
    return remark(f"found.references/{case}", key=str(last.ref))


CHECKS: dict[str, Callable[[Context], Remark | None]] = {
    "token": _token,
    "service": _service,
    "apply": _apply,
    "state": _state,
    "git": _git,
    "references": _references,
}
"""The checks, in order. None: there is nothing to check."""

_NEEDED = {
    "service": ("token",),
    "apply": ("token", "service"),
    "references": ("token", "service", "state"),
}
"""The checks that a check needs."""

_OF_REMOTE = ("token", "service", "apply", "git", "references")
"""The checks that the embedded service does not need."""
