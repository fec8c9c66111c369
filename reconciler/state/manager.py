"""A shared state in an engine: where its head is read, created, locked and unlocked.

The lock, the journal and the state are one register, the head, which is replaced only by
compare-and-swap; so whoever replaced it last has the lock, and everybody else finds out with its
next write (docs/exactly-once.md).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from reconciler.model.clock import Clock
from reconciler.model.codes import Code
from reconciler.model.diagnostics import NOWHERE, error
from reconciler.model.errors import StateError
from reconciler.state.codec import encode_state
from reconciler.state.encryption import KeyRing
from reconciler.state.engines import Engine, Missing, Version
from reconciler.state.faults import as_state_errors
from reconciler.state.head import FORMAT, Head, encode_head
from reconciler.state.held import Claim
from reconciler.state.holder import Holder
from reconciler.state.model import State, fold, with_untold
from reconciler.state.parts import Parts, Snapshot
from reconciler.state.register import HeadMovedError, Register, UnknownWriteError
from reconciler.state.takeover import Vigil
from reconciler.state.tenure import HeldHead

BETWEEN_READS = 2.0
"""Seconds between two looks at a lock that another process holds."""


class SharedState:
    """`state.held.StatePlace` of an engine. `run` is the link to this run in its CI system."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        ring: KeyRing,
        *,
        run: str = "",
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._engine, self._clock, self._run, self._wait = engine, clock, run, wait
        self._register = Register(engine, clock, wait)
        self._parts = Parts(self._register, ring, engine.shown)

    @property
    def shown(self) -> str:
        return self._engine.shown

    def close(self) -> None:
        self._engine.close()

    def read(self, backend: str) -> State:
        with as_state_errors(self.shown):
            found = self._parts.snapshot(backend)
        if found is None:
            raise self._absent()
        return fold(with_untold(found.saved, found.events), found.events)

    def try_write(self) -> None:
        with as_state_errors(self.shown):
            self._register.retried(self._engine.try_write)

    def head(self) -> Head:
        """The head alone, for who asks about the lock."""
        return self._found()[0]

    def take(self, claim: Claim) -> HeldHead:
        vigil = Vigil(self._engine.pace, self._clock, claim, self.shown)
        with as_state_errors(self.shown):
            while True:
                head, data, version = self._found()
                if not vigil.may_take(head, version):
                    self._wait(BETWEEN_READS)
                    continue
                try:
                    snapshot = self._parts.load(data, version, claim.backend)
                    return self._take_over(snapshot, claim.purpose)
                except Missing as problem:
                    if self._found()[2] == version:
                        raise self._parts.damaged(str(problem), "it is missing") from problem
                except HeadMovedError:
                    continue

    def create(self, state: State) -> bool:
        """StateError also if there is one of another backend."""
        with as_state_errors(self.shown):
            self._engine.prepare()
            if self._parts.snapshot(state.backend) is not None:
                return False
            self._engine.probe()
            return self._create(state)

    def unlock(self, epoch: int) -> Holder | None:
        """Takes the lock from the holder of that epoch, which is fenced off if it is alive, and
        gives it back. None if nobody has it. StateError if the epoch is another one."""
        with as_state_errors(self.shown):
            while True:
                head, data, version = self._found()
                if head.holder is None:
                    return None
                if head.epoch != epoch:
                    now, holder = head.epoch, str(head.holder)
                    raise self._refused(Code.STATE_UNLOCK, epoch=epoch, now=now, holder=holder)
                freed = self._parts.whole_head(data).taken_by(_writer(), None)
                try:
                    self._swap(freed, version)
                except HeadMovedError:
                    continue
                return head.holder

    def _take_over(self, found: Snapshot, purpose: str) -> HeldHead:
        clock, began = self._clock, self._clock.boot()
        holder = Holder.here(purpose, self._run, clock.now(), clock.boot_id)
        head = found.head.taken_by(_writer(), holder)
        register = self._register
        with ThreadPoolExecutor(1, "probe") as pool:
            probed = pool.submit(register.retried, register.engine.probe)
            version = self._swap(head, found.version)
        taken = replace(found, head=head, version=version)
        held = HeldHead(register, self._parts, taken, clock, began)
        try:
            probed.result()
        except BaseException:
            held.release()
            raise
        held.start_beat()
        return held

    def _create(self, state: State) -> bool:
        writer = _writer()
        base = f"base-0-0-{writer}"
        self._parts.keep(base, encode_state(state), state.lineage)
        head = Head(FORMAT, state.lineage, state.serial, 0, 0, writer, base)
        try:
            self._swap(head, None)
        except HeadMovedError:
            self._register.drop([base])
            return False
        return True

    def _swap(self, head: Head, over: Version | None) -> Version:
        data = encode_head(head, self._parts.cipher(head.lineage))
        try:
            return self._register.swap(data, over)
        except UnknownWriteError as problem:
            raise self._refused(Code.STATE_WRITE_UNKNOWN, reason=str(problem)) from problem

    def _found(self) -> tuple[Head, bytes, Version]:
        found = self._register.read()
        if found is None:
            raise self._absent()
        return self._parts.head(found[0])[0], *found

    def _absent(self) -> StateError:
        return self._refused(Code.STATE_NOT_INITIALIZED)

    def _refused(self, code: Code, **facts: str | int) -> StateError:
        return StateError([error(code, at=NOWHERE, file=self.shown, **facts)])


def _writer() -> str:
    return secrets.token_hex(16)
