"""The composition root: who is given to whom. Each function builds one thing, from the edges in."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.app.manifests import load_manifests
from reconciler.app.system_clock import SystemClock
from reconciler.cli.console.output import Output
from reconciler.cli.options.service import Connection
from reconciler.messages import word
from reconciler.model.clock import Clock
from reconciler.model.diagnostics import Diagnostic, has_errors
from reconciler.model.errors import ManifestError, TaskctlError
from reconciler.model.options import AdoptScope, PlanOptions
from reconciler.model.task import DesiredTask, TaskRef
from reconciler.plan.plan import Plan
from reconciler.scratch import CACHE
from reconciler.state.model import State

if TYPE_CHECKING:
    from reconciler.manifest import Manifests
    from reconciler.plan.age import LockHolder
    from reconciler.plan.selection import Selection
    from reconciler.plan.view import RemoteView
    from reconciler.remote.client import Client
    from reconciler.remote.credentials import Backend


def utcnow() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Workspace:
    """What plan and apply work on: manifests, organizations resolved, and the service."""

    out: Output
    connection: Connection
    options: PlanOptions
    scope: tuple[str, ...]
    manifests: Manifests
    backend: Backend
    client: Client
    state_path: Path
    clock: Clock = field(default_factory=SystemClock)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        return self.manifests.diagnostics

    @property
    def desired(self) -> tuple[DesiredTask, ...]:
        return self.manifests.tasks

    def close(self) -> None:
        self.client.close()


def find_place(connection: Connection, out: Output) -> tuple[Backend, Path]:
    """A backend, and the file that keeps what is known of it."""
    backend = find_backend(connection, out)
    return backend, find_state(connection, backend, out)


def open_workspace(
    paths: Sequence[str], connection: Connection, options: PlanOptions, out: Output
) -> Workspace:
    """Reads the manifests, then finds backend, token and organization. Raises TaskctlError.

    Nothing is sent before every manifest is known to be good.
    """
    manifests = read_manifests(paths, out)
    if options.max_creates is None:
        limits = (manifests.max_creates, out.common.config.values.get("max_creates"))
        least = min((limit for limit in limits if limit is not None), default=None)
        options = replace(options, max_creates=least)
    backend, state_path = find_place(connection, out)
    client = connect(backend, connection, out)
    try:
        manifests = with_organizations(manifests, connection, backend, client, out)
    except BaseException:
        client.close()
        raise
    return Workspace(
        out=out,
        connection=connection,
        options=options,
        scope=tuple(sorted({normal(path) for path in paths})),
        manifests=manifests,
        backend=backend,
        client=client,
        state_path=state_path,
    )


def read_manifests(paths: Sequence[str], out: Output) -> Manifests:
    """The manifests; ManifestError with every problem of every file where one has an error."""
    manifests = load_manifests(paths, out)
    if any(task.sensitive for task in manifests.tasks):
        from reconciler.render.masking import secrets_in

        out.protect(secrets_in(manifests.tasks))
    if has_errors(manifests.diagnostics):
        out.source = manifests.text_of
        raise ManifestError(manifests.diagnostics)
    return manifests


def normal(path: str) -> str:
    """A PATH as manifest files are named: `/`-separated, no `./` and no `/` at the end."""
    return os.path.normpath(path).replace(os.sep, "/")


def find_backend(connection: Connection, out: Output) -> Backend:
    from reconciler.remote.credentials import resolve_backend

    backend = resolve_backend(connection.backend, os.environ, Path.home())
    for note in backend.notes:
        out.note(f"note: {word(note).summary}")
    out.detail(f"backend: {backend.name} (from {backend.source})")
    return backend


def find_state(connection: Connection, backend: Backend, out: Output) -> Path:
    configured = None if backend.local_db is not None else out.common.config.values.get("state")
    path = out.common.path(connection.state or configured or backend.default_state)
    out.detail(f"state: {path}")
    return path


def connect(backend: Backend, connection: Connection, out: Output) -> Client:
    """A client of the backend: over HTTP, or of the embedded service in this process."""
    from reconciler.remote.client import Client
    from reconciler.remote.credentials import resolve_token

    token = resolve_token(backend, os.environ, Path.home())
    out.detail(f"token: from {token.source}")
    connections = connection.parallelism + 2
    if backend.local_db is None:
        return Client(backend.name, token.value, connections=connections)
    from reconciler.embedded.app import App

    app = App(out.common.path(str(backend.local_db)))
    return Client(backend.name, token.value, app=app, then_close=app.close, connections=connections)


def with_organizations(
    manifests: Manifests, connection: Connection, backend: Backend, client: Client, out: Output
) -> Manifests:
    """Each task with its organization. ManifestError where none can be found for one, or where two
    tasks turn out to be one."""
    if all(task.org_name is not None for task in manifests.tasks):
        return manifests
    manifests = manifests.in_org(find_organization(connection, backend, client, out))
    if has_errors(manifests.diagnostics):
        raise ManifestError(manifests.diagnostics)
    return manifests


def find_organization(connection: Connection, backend: Backend, client: Client, out: Output) -> str:
    from reconciler.remote.credentials import resolve_org

    found = resolve_org(connection.org, os.environ, Path.home(), backend, client.default_org)
    if found is None:
        raise TaskctlError.of(
            "no organization: the manifests name none, and nothing else does",
            "Set `orgName` at the top of a manifest, or name one:\n"
            "  taskctl plan --org NAME\n"
            "Run with -v to see what was looked at.",
        )
    for step in found.trace:
        out.detail(f"organization: {step}")
    out.detail(f"organization: {found.value} (from {found.source})")
    return found.value


class Planning:
    """Reads the service and makes plans for one workspace; `view` is what was read last. `holder`:
    what an apply knows about the age of its attempts."""

    def __init__(self, space: Workspace, holder: LockHolder | None = None) -> None:
        from reconciler.app.budgets import Budgets
        from reconciler.remote.message_cache import MessageCache
        from reconciler.remote.survey import Survey

        self._space = space
        self._survey = Survey(
            space.client,
            MessageCache(space.out.common.path(CACHE), space.backend.name, space.client.scrub),
            parallelism=space.connection.parallelism,
            settle_time=space.options.settle_time,
            clock=space.clock,
        )
        self.view: RemoteView | None = None
        self.holder = holder
        self._selection: Selection | None = None
        self._budgets = Budgets(space.client, space.out)

    def plan(
        self,
        state: State,
        options: PlanOptions,
        only: Collection[TaskRef] | None = None,
    ) -> Plan:
        """A plan on `state`; for the keys `only` where given. Raises RemoteError."""
        from reconciler.plan.codec import options_json
        from reconciler.plan.lookup import lookups
        from reconciler.plan.planner import PlanInputs, make_plan
        from reconciler.plan.replacement import refuse_wrong
        from reconciler.plan.selection import select

        space = self._space
        # Once: what apply does makes attempts vanish, and a pattern may match nothing else.
        if self._selection is None:
            self._selection = select(options, space.desired, state, space.scope)
            refuse_wrong(options, space.desired, state, self._selection.refs)
        chosen = self._selection
        whole = only is None
        only = chosen.within(only)
        asked = [t for t in space.desired if only is None or t.ref in only]
        view = self._survey.read(
            lambda identity, clocks: lookups(
                asked, state, identity, options, clocks, only=only, holder=self.holder
            )
        )
        self.view = view
        inputs = PlanInputs(space.desired, state, view, options, space.scope, only, self.holder)
        made = make_plan(inputs)
        notes = (*made.diagnostics, *chosen.notes(options))
        made = replace(made, options=options_json(options), diagnostics=notes)
        return self._budgets.planned(made, state, view) if whole else made


def tell_if_new(space: Workspace, state: State) -> None:
    """On a new state one has to know that tasks may be adopted, and why."""
    if state.is_new and space.options.adopt in (None, AdoptScope.ALL):
        path = space.state_path
        why = f"no apply has ended well on {path} yet" if state.records else f"no state at {path}"
        space.out.note(f"{why}: looking for existing tasks")
        if space.scope:
            space.out.note(
                "Only for those of the PATHs. If a state was lost, apply once without any, or with "
                "--adopt all, so that the others are looked for as well."
            )


def planner_for(
    planning: Planning, state: Callable[[], State], options: PlanOptions
) -> Callable[[Collection[TaskRef]], Plan]:
    """What apply plans anew with: the state as it is then."""
    return partial(_replan, planning, state, options)


def _replan(
    planning: Planning,
    state: Callable[[], State],
    options: PlanOptions,
    only: Collection[TaskRef],
) -> Plan:
    return planning.plan(state(), options, only)
