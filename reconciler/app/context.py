"""The composition root: the only module that builds clients, states and surveys."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from reconciler.app.known_state import KnownState
from reconciler.app.settings import Connection, Settings
from reconciler.app.ui import Ui
from reconciler.manifest.repository import outer_repository, refuse_link_out, resolved
from reconciler.model.codes import Code
from reconciler.model.diagnostics import (
    Diagnostic,
    ManifestError,
    Place,
    TaskctlError,
    has_errors,
)
from reconciler.model.value import replace
from reconciler.system.clock import SystemClock

if TYPE_CHECKING:
    from reconciler.app.audience import Audience, Project
    from reconciler.app.survey import Survey
    from reconciler.app.task_reader import TaskReader
    from reconciler.manifest.loader import Manifests
    from reconciler.manifest.policy import Policy
    from reconciler.manifest.tracked_files import TrackedFiles
    from reconciler.model.budget import Budget
    from reconciler.model.clock import Clock
    from reconciler.remote.addresses import Backend
    from reconciler.remote.client import Client
    from reconciler.remote.credentials import ResolvedSetting
    from reconciler.state.location import Claim, StateLocation
    from reconciler.state.lock import LastApply
    from reconciler.state.model import State
    from reconciler.state.session import Session
    from reconciler.system.cache import UserCache


class Context:
    """The dependencies of a use case, each created on first use. As a context manager, it closes
    the connections to the service and to shared states."""

    def __init__(
        self,
        ui: Ui,
        settings: Settings | None = None,
        connection: Connection | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.ui = ui
        self.settings = settings or Settings()
        self.connection = connection or Connection()
        self.clock: Clock = clock or SystemClock()
        self.known_state, self.settle_time = KnownState(), self.connection.settle_time
        self.project: Project | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    # Manifests

    def load(
        self,
        paths: Sequence[str],
        now: Callable[[], datetime] | None = None,
        *,
        whole: bool = False,
    ) -> Manifests:
        """The manifests, checked against the policy, with problems as diagnostics. `now` selects
        the periods of recurring entries, instead of this machine's clock. `whole`: all manifests
        of the configuration besides those at `paths`. Raises ManifestError if the policy is
        invalid."""
        from reconciler.manifest.loader import load

        manifests = load(
            tuple(paths) or self.settings.paths,
            root=self.settings.root,
            also=self.settings.paths if whole and paths else None,
            policy=self.policy,
            now=now or self.clock.now,
            tracked=self._tracked,
        )
        if paths or not has_errors(manifests.diagnostics):
            return manifests
        from reconciler.app.configuration import at_settings

        located = at_settings(self.settings, manifests.diagnostics)
        return replace(manifests, diagnostics=tuple(located))

    def read(
        self,
        paths: Sequence[str],
        now: Callable[[], datetime] | None = None,
        *,
        whole: bool = False,
    ) -> Manifests:
        """Valid manifests. Otherwise, raises ManifestError with every problem of every file."""
        manifests = self.load(paths, now, whole=whole)
        if has_errors(manifests.diagnostics):
            raise ManifestError(
                [_with_key(problem, manifests) for problem in manifests.diagnostics]
            )
        return manifests

    @cached_property
    def policy(self) -> Policy | None:
        """The policy in the configuration. Raises ManifestError if it is invalid."""
        name = self.settings.policy
        if name is None:
            return None
        from reconciler.manifest.policy import read_policy

        path, config = self.settings.root / name, self.settings.config_file or ""
        try:
            policy = read_policy(path, name, config, self._tracked)
        except ManifestError as problem:
            from reconciler.app.configuration import at_settings

            raise ManifestError(at_settings(self.settings, problem.diagnostics)) from problem
        self.ui.detail("policy", file=name)
        return policy

    @cached_property
    def _tracked(self) -> TrackedFiles:
        from reconciler.manifest.tracked_files import TrackedFiles

        return TrackedFiles()

    # The state

    @cached_property
    def location(self) -> StateLocation:
        """The location of the state. Raises StateError for an invalid address, and TaskctlError in
        CI for a state file that was not specified: the next runner would create all tasks again."""
        if not (self.is_shared or self.connection.state or self.backend.is_local):
            from reconciler.app.ci import ci_system

            ci = ci_system(os.environ)
            if ci is not None:
                raise TaskctlError.of(Code.STATE_ON_RUNNER, path=self.state_address, ci=ci)
        location = self.location_of(self.state_address)
        self.ui.detail("state", path=location.display_name)
        return location

    def location_of(self, address: str) -> StateLocation:
        """The state at an address or path, closed with this context. Raises StateError for an
        invalid address."""
        from reconciler.app.state_address import is_address, shared_state
        from reconciler.state.local import LocalState

        if not is_address(address):
            refuse_link_out(self.settings.folder, address, "state")
            return LocalState(self.settings.path(address))
        shared = shared_state(address, self.settings.root, self.clock, os.environ)
        self._open.callback(shared.close)
        return shared

    @cached_property
    def state_address(self) -> str:
        """The address of the state, or its path as the user would write it. Raises TaskctlError if
        the configuration requires a variable that is not set."""
        backend, configured = self.backend, self.settings.state
        if self.connection.state:
            return self.connection.state
        if backend.is_local or configured is None:
            return self.settings.typed(backend.default_state)
        if configured.startswith("env:"):
            raise TaskctlError.of(
                Code.STATE_ADDRESS,
                "variable",
                at=Place(self.settings.config_file),
                file=configured,
            )
        return configured

    @property
    def is_shared(self) -> bool:
        """Whether the state is shared."""
        from reconciler.app.state_address import is_address

        return is_address(self.state_address)

    @property
    def missing_state(self) -> str:
        """The path of the state file if there is none; otherwise empty."""
        path = self.state_address
        return "" if self.is_shared or self.settings.path(path).exists() else path

    @cached_property
    def caches(self) -> UserCache:
        """The files of the user's cache; they are never in the repository."""
        from reconciler.system.cache import user_cache

        found = user_cache(os.environ, self.repository)
        if found.folder is None:
            self.ui.detail("no_cache")
        return found

    @cached_property
    def service(self) -> str:
        """The identity of the service: a URL, or the file of an embedded service."""
        file = self.backend.local_db
        return self.backend.name if file is None else str(resolved(self.settings.root / file))

    def read_state(self) -> State:
        """The state with its journal folded in; takes no lock and writes nothing. Raises
        StateError."""
        from reconciler.state.session import read_state

        state = read_state(self.location, backend=self.backend.name)
        self.known_state = KnownState(state)
        return state

    def claim(self, purpose: str) -> Claim:
        """A request for the lock of a state, with a note while it waits."""
        from reconciler.state.location import Claim

        def waiting(holder: str, left: float | None) -> None:
            note, facts = ("locked_check", {"seconds": round(left)}) if left else ("locked", {})
            self.ui.note(note, holder=holder, **facts)

        return Claim(self.backend.name, purpose, self.connection.lock_timeout, waiting)

    def open_state(
        self,
        purpose: str,
        location: StateLocation | None = None,
        *,
        moves: bool = False,
        digest: str = "",
        follows: LastApply | None = None,
    ) -> Session:
        """Locks and opens the state, or that of another `location`, for changes. Raises StateError
        if it is locked or unusable. `moves`: a state that was moved may be opened. For `digest` and
        `follows`, see `Claim`."""
        from reconciler.app.ci import this_run
        from reconciler.state.session import Session

        run = this_run(self.client if self.has_client else None, self.clock)
        claim = self.claim(purpose)._replace(run=run, digest=digest, follows=follows)
        session = Session.open(location or self.location, claim, moves=moves)
        session.sign(run)
        self.known_state = KnownState(session.state)
        self._read_project()
        self.ui.diagnostics(session.warnings())
        return session

    @cached_property
    def repository(self) -> Path | None:
        """The root of the repository that this command works in; in a submodule or a CI job, the
        root of the directory around it. None outside of repositories."""
        return outer_repository(self.settings.root, os.environ)

    # The service

    @cached_property
    def backend(self) -> Backend:
        from reconciler.remote.credentials import home, resolve_backend

        backend = resolve_backend(self.connection.backend, os.environ, home(), self.repository)
        kind, colon, path = backend.name.partition("local:")
        if colon and not kind:
            backend = backend._replace(name=f"local:{self.settings.names([path])[0]}")
        for note in backend.notes:
            self.ui.note("backend_note", text=note.cause)
        self.ui.detail("backend", name=backend.name, source=backend.source)
        return backend

    @cached_property
    def client(self) -> Client:
        """A client of the backend, over HTTP or of the embedded service in this process."""
        from reconciler.remote.client import Client
        from reconciler.remote.credentials import home, resolve_token
        from reconciler.remote.transport import Transport

        backend = self.backend
        token = resolve_token(backend, os.environ, home(), self.repository)
        self.ui.detail("token", source=token.source)
        app = None
        if backend.local_db is not None:
            from reconciler.embedded.app import App

            app = App(self.settings.embedded_file(str(backend.local_db)), now=self.clock.now)
            self._open.callback(app.close)
        connections = self.connection.parallelism + 2
        transport = Transport(
            backend.name, token.value, app=app, connections=connections, note=self.ui.note
        )
        client = Client(transport, wall_clock=self.clock.now)
        self._open.callback(client.close)
        self._read_project()
        return client

    def _read_project(self) -> None:
        """Reads where `run-workflow` runs, for the commands that the run may suggest."""
        if self.project is None and self.settings.run_workflow and not self.backend.is_local:
            from reconciler.app.audience import Project

            self.project = Project.read(self.settings, os.environ)

    @property
    def audience(self) -> Audience:
        """Who reads what this run prints; sends no request, and starts no program."""
        from reconciler.app.audience import Audience, Project

        backend = None
        with suppress(TaskctlError):
            backend = self.backend
        return Audience(
            self.settings,
            self.client.known_identity if self.has_client else None,
            backend.name if backend is not None else "",
            is_embedded=backend is not None and backend.is_local,
            is_ci=self._is_ci,
            is_pull_request=os.environ.get("GITHUB_EVENT_NAME") == "pull_request",
            project=self.project or Project(),
            tasks=self.known_state,
        )

    @cached_property
    def _is_ci(self) -> bool:
        from reconciler.app.ci import ci_system

        return ci_system(os.environ) is not None

    def now(self) -> datetime:
        """The service's time, or this machine's before a response with a date."""
        return self.client.service_clock() or self.clock.now()

    @cached_property
    def default_org(self) -> ResolvedSetting | None:
        """The organization of tasks whose manifest does not set it, and its source. Raises
        TaskctlError."""
        from reconciler.remote.credentials import home, resolve_org

        option, ask = self.connection.org, self.client.default_org
        return resolve_org(option, os.environ, home(), self.backend, ask, self.repository)

    @cached_property
    def organization(self) -> str:
        """The name of `default_org`. Raises TaskctlError if there is none."""
        default = self.default_org
        if default is None:
            raise TaskctlError.of(Code.NO_ORGANIZATION)
        for source in default.trace:
            self.ui.detail("not_set", source=source)
        self.ui.detail("organization", value=default.value, source=default.source)
        return default.value

    def with_organizations(self, manifests: Manifests) -> Manifests:
        """The manifests with an organization for every task and removed key. Raises TaskctlError if
        there is no organization, if no task uses that of the option, or if two tasks are the
        same."""
        named = sorted(name for name in manifests.organizations if name is not None)
        given = self.connection.org
        if given and named and None not in manifests.organizations and given not in named:
            raise TaskctlError.of(Code.USAGE, "unusedOrg", org=given, named=tuple(named))
        for name in named:
            self.ui.detail("organization", value=name, source="manifests")
        if None not in manifests.organizations:
            return manifests
        manifests = manifests.in_org(self.organization)
        if has_errors(manifests.diagnostics):
            raise ManifestError(manifests.diagnostics)
        return manifests

    def survey(self) -> Survey:
        """Reads everything that plans need from the service."""
        from reconciler.app.survey import Survey, message_cache

        client = self.client
        return Survey(
            client,
            message_cache(self.caches, self.service, client.identity(), client.scrub),
            parallelism=self.connection.parallelism,
            clock=self.clock,
            note=self.ui.note,
        )

    @cached_property
    def reader(self) -> TaskReader:
        """Reads tasks and their events, and sends events."""
        from reconciler.app.task_reader import TaskReader, event_cache

        cache = event_cache(self.caches, self.service, self.client.identity())
        return TaskReader(self.client, cache, self.now, self.settle_time)

    @property
    def has_client(self) -> bool:
        """Whether the service was contacted, so that the user's identity is known."""
        return "client" in self.__dict__

    @cached_property
    def fresh_reader(self) -> TaskReader:
        """A reader without a cache, for decisions about creating tasks."""
        from reconciler.app.task_reader import TaskReader

        return TaskReader(self.client, None, self.now, self.settle_time)

    def budget(self, org_name: str) -> Budget | None:
        """The Neo token budget of an organization, None if it has none."""
        from reconciler.model.budget import Budget

        found = self.client.token_budget(org_name)
        if isinstance(found, Budget):
            return found
        self.ui.detail("no_budget", org=org_name, why=found)
        return None


def _with_key(problem: Diagnostic, manifests: Manifests) -> Diagnostic:
    """The problem, with the hint to use `--target` if a PATH ends with a key or an entry."""
    if problem.code is not Code.UNREADABLE_FILE or problem.case or problem.file is None:
        return problem
    name = Path(problem.file).name
    is_key = any(name in (t.key, t.key.partition("@")[0]) for t in manifests.tasks)
    facts = {**problem.args, "key": name}
    return replace(problem, case="key", args=facts) if is_key else problem
