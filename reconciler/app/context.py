"""The composition root: who is given to whom. Nothing else builds a client, a state or a survey."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from reconciler.app.system_clock import SystemClock
from reconciler.manifest.repository import link_out
from reconciler.messages.notes import Note
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, has_errors
from reconciler.model.errors import ManifestError, TaskctlError
from reconciler.scratch import CACHE

if TYPE_CHECKING:
    from types import TracebackType

    from reconciler.app.ui import Ui
    from reconciler.manifest import Manifests
    from reconciler.manifest.policy import Policy
    from reconciler.model.clock import Clock
    from reconciler.model.task import DesiredTask
    from reconciler.plan.budget import Budget
    from reconciler.remote.client import Client
    from reconciler.remote.credentials import Backend
    from reconciler.remote.sessions import TaskReader
    from reconciler.remote.survey import Survey
    from reconciler.state.held import StatePlace
    from reconciler.state.model import State
    from reconciler.state.session import Session
    from reconciler.state.shared import SharedState


class Settings(NamedTuple):
    """The working directory, what the configuration file sets that is not an option's default, and
    whether all problems are shown, however many are alike.

    `paths` replace the default locations of manifests; they, `policy` and `state` are relative to
    `root`. `config_file` is the file as the user would write it, None if there is none.
    """

    root: Path = Path()
    paths: tuple[str, ...] = ()
    policy: str | None = None
    state: str | None = None
    max_creates: int | None = None
    apply_as: str | None = None
    config_file: str | None = None
    all_problems: bool = False

    def path(self, text: str) -> Path:
        """A path that the user typed, relative to `root`."""
        return self.root / text


class ReportFile(NamedTuple):
    """One `--report`: its format and the file as the user typed it (None: stdout)."""

    format: str
    file: str | None


class Connection(NamedTuple):
    """The options that say where the service and the state are. None: found as the contract says
    (section 3)."""

    backend: str | None = None
    org: str | None = None
    state: str | None = None
    parallelism: int = 10
    lock_timeout: timedelta = timedelta()


@dataclass
class Context:
    """What a use case works with. Everything is built when it is first needed, once; as a context
    manager it closes the connection to the service."""

    ui: Ui
    settings: Settings = field(default_factory=Settings)
    connection: Connection = field(default_factory=Connection)
    clock: Clock = field(default_factory=SystemClock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        client = self.__dict__.get("client")
        if client is not None:
            client.close()
        for shared in self._opened:
            shared.close()

    # Manifests

    def load(self, paths: Sequence[str], now: Callable[[], datetime] | None = None) -> Manifests:
        """The manifests, checked against the policy; problems are in their diagnostics. `now` tells
        the periods of entries that recur, instead of this machine's clock. ManifestError if the
        policy cannot be used."""
        from reconciler.manifest import load

        return load(
            tuple(paths) or self.settings.paths,
            root=self.settings.root,
            policy=self.policy,
            now=now or self.clock.now,
            all_problems=self.settings.all_problems,
        )

    def read(self, paths: Sequence[str], now: Callable[[], datetime] | None = None) -> Manifests:
        """Manifests without errors. ManifestError with every problem of every file otherwise."""
        manifests = self.load(paths, now)
        self.protect(manifests.tasks)
        if has_errors(manifests.diagnostics):
            self.ui.show_sources(manifests.text_of)
            raise ManifestError(manifests.diagnostics)
        return manifests

    def protect(self, tasks: Sequence[DesiredTask]) -> None:
        """Keeps the prompts of sensitive tasks out of whatever is shown from now on."""
        if any(task.sensitive for task in tasks):
            from reconciler.render.masking import secrets_in

            self.ui.protect(secrets_in(tasks))

    @cached_property
    def policy(self) -> Policy | None:
        """The policy that the configuration names. ManifestError if it cannot be used."""
        name = self.settings.policy
        if name is None:
            return None
        from reconciler.manifest.policy import read_policy

        policy = read_policy(self.settings.path(name), name, self.settings.config_file or "")
        self.ui.detail(Note.POLICY, file=name)
        return policy

    # The state

    @cached_property
    def place(self) -> StatePlace:
        """Where the state is. StateError for an address that cannot be used."""
        place = self.place_of(self.state_address)
        self.ui.detail(Note.STATE, path=place.shown)
        return place

    def place_of(self, address: str) -> StatePlace:
        """The state at an address or a path; closed with this context. StateError for an address
        that cannot be used."""
        from reconciler.app.state_place import is_address, refuse_key, shared_state
        from reconciler.state.local import LocalState

        if not is_address(address):
            if self.backend.local_db is None:
                refuse_key(address, os.environ)
            return LocalState(self.settings.path(address))
        made = shared_state(address, self.settings.root, self.clock, os.environ)
        self._opened.append(made)
        return made

    @cached_property
    def state_address(self) -> str:
        """The path of the state as the user would write it, or its address."""
        from reconciler.app.state_place import is_address

        backend = self.backend
        configured = None if backend.local_db is not None else self.settings.state
        given = str(self.connection.state or configured or backend.default_state)
        if self.connection.state is None and not is_address(given):
            self._refuse_link(self.settings.path(given), given, "state")
        return given

    @property
    def is_shared(self) -> bool:
        """Whether the state is in an engine."""
        from reconciler.app.state_place import is_address

        return is_address(self.state_address)

    @cached_property
    def _opened(self) -> list[SharedState]:
        return []

    @cached_property
    def cache(self) -> Path:
        """The directory of caches. TaskctlError if it is a link out of the repository."""
        path = self.settings.path(CACHE)
        self._refuse_link(path, CACHE, "cache")
        return path

    def _refuse_link(self, path: Path, name: str, case: str) -> None:
        if (target := link_out(path, self.settings.root)) is not None:
            raise TaskctlError.of(Code.OUTSIDE_REPOSITORY, case, at=Place(name), target=target)

    def read_state(self) -> State:
        """The state with its journal, neither locked nor written. StateError."""
        from reconciler.state.session import read_state

        return read_state(self.place, backend=self.backend.name)

    def open_state(
        self, purpose: str, place: StatePlace | None = None, *, moves: bool = False
    ) -> Session:
        """The state, or that of a place, locked, to be changed. StateError if it is held or
        unusable; one that was moved is usable for what `moves` it."""
        from reconciler.state.session import Session

        is_check = self.is_shared and not self.connection.lock_timeout
        note = Note.LOCKED_CHECK if is_check else Note.LOCKED
        session = Session.open(
            place or self.place,
            backend=self.backend.name,
            lock_timeout=self.connection.lock_timeout,
            purpose=purpose,
            waiting=lambda holder: self.ui.note(note, holder=holder),
            moves=moves,
        )
        self.ui.diagnostics(session.warnings())
        return session

    # The service

    @cached_property
    def backend(self) -> Backend:
        from reconciler.messages import word
        from reconciler.remote.credentials import resolve_backend

        backend = resolve_backend(self.connection.backend, os.environ, Path.home())
        for told in backend.notes:
            self.ui.note(Note.BACKEND_NOTE, text=word(told).summary)
        self.ui.detail(Note.BACKEND, name=backend.name, source=backend.source)
        return backend

    @cached_property
    def client(self) -> Client:
        """A client of the backend: over HTTP, or of the embedded service in this process."""
        from reconciler.remote.client import Client
        from reconciler.remote.credentials import resolve_token

        backend = self.backend
        token = resolve_token(backend, os.environ, Path.home())
        self.ui.detail(Note.TOKEN, source=token.source)
        connections = self.connection.parallelism + 2
        now = self.clock.now
        if backend.local_db is None:
            return Client(backend.name, token.value, connections=connections, wall_clock=now)
        from reconciler.embedded.app import App

        _ = self.cache  # where the database is by default
        app = App(self.settings.path(str(backend.local_db)), now=now)
        return Client(
            backend.name,
            token.value,
            app=app,
            then_close=app.close,
            connections=connections,
            wall_clock=now,
        )

    def now(self) -> datetime:
        """The service's time, or this machine's if the service does not show it."""
        return self.client.service_clock() or self.clock.now()

    @cached_property
    def organization(self) -> str:
        """The organization of tasks whose manifest names none. TaskctlError if nothing names
        one."""
        from reconciler.remote.credentials import resolve_org

        found = resolve_org(
            self.connection.org, os.environ, Path.home(), self.backend, self.client.default_org
        )
        if found is None:
            raise TaskctlError.of(Code.NO_ORGANIZATION)
        for step in found.trace:
            self.ui.detail(Note.ORGANIZATION_STEP, step=step)
        self.ui.detail(Note.ORGANIZATION, value=found.value, source=found.source)
        return found.value

    def with_organizations(self, manifests: Manifests) -> Manifests:
        """Every task with its organization. ManifestError if there is none for a task, or if two
        tasks turn out to be the same one."""
        if all(task.org_name is not None for task in manifests.tasks):
            return manifests
        manifests = manifests.in_org(self.organization)
        if has_errors(manifests.diagnostics):
            raise ManifestError(manifests.diagnostics)
        return manifests

    def survey(self, settle_time: timedelta) -> Survey:
        """Reads what plans need to know of the service."""
        from reconciler.remote.survey import Survey, message_cache

        client = self.client
        return Survey(
            client,
            message_cache(self.cache, self.backend.name, client.scrub),
            parallelism=self.connection.parallelism,
            settle_time=settle_time,
            clock=self.clock,
        )

    @cached_property
    def reader(self) -> TaskReader:
        """The tasks at the service after their creation."""
        from reconciler.remote.sessions import TaskReader, event_cache

        cache = event_cache(self.cache, self.backend.name, self.client.identity())
        return TaskReader(self.client, cache, self.ui.conceal)

    def budget(self, org_name: str) -> Budget | None:
        """The Neo token budget of an organization; None if it has none."""
        from reconciler.plan.budget import Budget
        from reconciler.remote.budget import ask_budget

        found = ask_budget(self.client, org_name)
        if isinstance(found, Budget):
            return found
        self.ui.detail(Note.NO_BUDGET, org=org_name, why=found)
        return None
