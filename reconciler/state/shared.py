"""A shared state in an engine: reading, creating, locking and unlocking it.

The lock, the journal and the state are one register, the head, which is replaced only by
compare-and-swap. So the process that replaced it last holds the lock, and the next write of a
process that has lost it fails (docs/exactly-once.md).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from reconciler.model.clock import Clock
from reconciler.model.codes import Code
from reconciler.model.diagnostics import NOWHERE, StateError
from reconciler.model.remarks import remark
from reconciler.model.value import replace
from reconciler.state.codec import VERSION, encode_state
from reconciler.state.engines import Engine, Missing, Pace, Version
from reconciler.state.ledger import fold
from reconciler.state.location import Claim, Taken
from reconciler.state.lock import Holder
from reconciler.state.locked_head import LockedHead
from reconciler.state.model import State
from reconciler.state.register import (
    HeadMovedError,
    Register,
    UnknownWriteError,
    as_state_errors,
)
from reconciler.state.store import Head, Snapshot, Store

BETWEEN_READS = 2.0
"""Seconds between two reads of a lock that another process holds."""

NOTE_INTERVAL = 20.0
"""Seconds between two notes about a holder without activity; longer than a heartbeat."""

MIN_READS = 4
"""The number of equal reads before a takeover. A single read would not be enough after a long pause
of this process."""


class SharedState:
    """`state.location.StateLocation` of an engine. `run` is the link to this run in its CI
    system."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        *,
        run: str = "",
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._engine, self._clock, self._run, self._wait = engine, clock, run, wait
        self._register = Register(engine, clock, wait)
        self._store = Store(self._register)

    @property
    def display_name(self) -> str:
        return self._engine.display_name

    def close(self) -> None:
        self._engine.close()

    def read(self, backend: str) -> State:
        with as_state_errors(self.display_name):
            snapshot = self._store.snapshot(backend)
        if snapshot is None:
            raise self.missing()
        return fold(snapshot.saved, snapshot.events)

    def head(self) -> Head:
        return self._found()[0]

    def take(self, claim: Claim) -> Taken:
        takeover = _Takeover(self._engine.pace, self._clock, claim, self.display_name)
        with as_state_errors(self.display_name):
            while True:
                head, data, version = self._found()
                if not takeover.is_allowed(head, version):
                    self._wait(BETWEEN_READS)
                    continue
                try:
                    snapshot = self._store.load(data, version, claim.backend)
                    locked = self._take_over(snapshot, claim)
                    return Taken(locked, snapshot.saved, snapshot.events)
                except Missing as problem:
                    if self._found()[2] == version:
                        raise self._store.damaged(str(problem), remark("shape.absent")) from problem
                except HeadMovedError:
                    continue

    def create(self, state: State, claim: Claim | None = None) -> bool:
        """Saves the first state. Raises StateError, for example if a state of another backend
        exists."""
        del claim  # a single swap needs no lock
        with as_state_errors(self.display_name):
            self._register.retried(self._engine.prepare)
            if self._store.snapshot(state.backend) is not None:
                return False
            self._register.retried(self._engine.probe)
            writer = _writer()
            base = f"base-0-0-{writer}"
            self._store.put_blob(base, encode_state(state))
            try:
                self._swap(Head(VERSION, state.lineage, state.serial, 0, 0, writer, base), None)
            except HeadMovedError:
                self._register.delete_blobs([base])
                return False
            return True

    def unlock(self, epoch: int) -> Holder | None:
        """Releases the lock taken in `epoch` and returns its holder, which can no longer write;
        None if the state is not locked. Raises StateError if the epoch has changed."""
        with as_state_errors(self.display_name):
            while True:
                head, _, version = self._found()
                if head.holder is None:
                    return None
                if head.epoch != epoch:
                    code, holder = Code.STATE_UNLOCK, str(head.holder)
                    raise self._refused(code, epoch=epoch, now=head.epoch, holder=holder)
                freed = head.taken_by(_writer(), None, head.declared)
                try:
                    self._swap(freed, version)
                except HeadMovedError:
                    continue
                return head.holder

    def _take_over(self, found: Snapshot, claim: Claim) -> LockedHead:
        clock, began = self._clock, self._clock.boot()
        declared = claim.declared(found.head.declared, self.display_name)
        holder = Holder.here(claim.purpose, self._run, clock.now(), clock.boot_id)
        head = found.head.taken_by(_writer(), holder, declared)
        register = self._register
        with ThreadPoolExecutor(1, "probe") as pool:
            probed = pool.submit(register.retried, register.engine.probe)
            version = self._swap(head, found.version)
        taken = replace(found, head=head, version=version)
        locked = LockedHead(self._store, taken, clock, began, claim.edited(declared))
        try:
            probed.result()
        except BaseException:
            locked.release()
            raise
        locked.start_heartbeat()
        return locked

    def _swap(self, head: Head, over: Version | None) -> Version:
        try:
            return self._store.swap(head, over)
        except UnknownWriteError as problem:
            raise self._refused(Code.STATE_WRITE_UNKNOWN, reason=str(problem)) from problem

    def _found(self) -> tuple[Head, bytes, Version]:
        found = self._register.read()
        if found is None:
            raise self.missing()
        return self._store.head(found[0]), *found

    def others(self) -> tuple[str, ...]:
        """The addresses of other states next to this state. Raises StateError."""
        with as_state_errors(self.display_name):
            return tuple(self._register.retried(self._engine.others))

    def missing(self) -> StateError:
        """The error for a state that does not exist; it lists the states next to it."""
        code, others = Code.STATE_NOT_INITIALIZED, self.others()
        if not others:
            return self._refused(code)
        facts = {"file": self.display_name, "other": others[0]}
        return StateError.of(code, "others", at=NOWHERE, states=others, **facts)

    def exists(self, backend: str) -> bool:
        """Whether there is a state. Raises StateError, for example for a state of another
        backend."""
        with as_state_errors(self.display_name):
            return self._store.snapshot(backend) is not None

    def _refused(self, code: Code, **facts: str | int) -> StateError:
        return StateError.of(code, at=NOWHERE, file=self.display_name, **facts)


class _Takeover:
    """Decides from successive versions of the head when the lock may be taken over.

    A holder rewrites the head with each heartbeat, so if the head has not changed for much longer,
    its holder has ended. Only this process measures the time: clocks of different machines are
    never compared. If the holder is still running after all, its next write fails and it sends
    nothing more. So a wrong decision can delay an apply, but not create a task twice.
    """

    def __init__(self, pace: Pace, clock: Clock, claim: Claim, display_name: str) -> None:
        self._pace, self._clock, self._claim, self._display_name = pace, clock, claim, display_name
        self._began = clock.boot()
        self._version: Version | None = None
        self._since, self._equal = 0.0, 0
        self._is_alive, self._noted_at = False, 0.0

    def is_allowed(self, head: Head, version: Version) -> bool:
        """Whether the lock may be taken over at this version of the head; if not, the caller waits
        and asks again. Raises StateError if the holder is running and the lock timeout has
        passed."""
        now, holder = self._clock.boot(), head.holder
        if holder is None or holder.is_gone(self._clock.boot_id):
            return True
        if version == self._version:
            self._equal += 1
        else:
            if self._version is not None and not self._is_alive:
                self._claim.waiting(str(holder), None)
            self._is_alive = self._version is not None
            self._version, self._since, self._equal = version, now, 1
            self._noted_at = now if self._is_alive else now - NOTE_INTERVAL
        left = self._pace.takeover - (now - self._since)
        if self._equal >= MIN_READS and left <= 0:
            return True
        if left > 0 and now - self._noted_at >= NOTE_INTERVAL:
            self._claim.waiting(str(holder), left)
            self._noted_at = now
        timeout = self._claim.lock_timeout.total_seconds()
        if self._is_alive and now - self._began >= timeout:
            raise StateError.of(
                Code.STATE_LOCKED,
                "shared.waited" if timeout else "shared",
                holder=str(holder),
                epoch=head.epoch,
                seconds=round(timeout, 1),
                file=self._display_name,
            )
        return False


def _writer() -> str:
    return secrets.token_hex(16)
