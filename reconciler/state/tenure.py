"""A shared state that this process has locked: it writes the head, and only while it is the last
one that did.

Whatever it is not sure about ends the run: `check_held` and every write raise from then on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from reconciler.model.clock import Clock
from reconciler.model.codes import Code
from reconciler.model.diagnostics import NOWHERE, Arg, Diagnostic, error
from reconciler.model.errors import StateError
from reconciler.state.codec import encode_state
from reconciler.state.commit import Durable, GroupCommit
from reconciler.state.engines import Denied, Unsure
from reconciler.state.faults import state_error
from reconciler.state.head import BASES, Head, encode_head, encode_segment
from reconciler.state.model import Event, State
from reconciler.state.parts import Parts, Snapshot
from reconciler.state.register import HeadMovedError, Register, UnknownWriteError

LARGE_ENTRY = 16 * 1024
LARGEST_TAIL = 256 * 1024
"""Bytes of journal entries: the head is rewritten with each commit and each beat."""

_SHARE_OF_WRITE, _LONGEST_WAIT = 0.2, 0.02


class HeldHead:
    """`state.held.HeldState` of a shared state."""

    def __init__(
        self, register: Register, parts: Parts, taken: Snapshot, clock: Clock, proved: float
    ) -> None:
        """`taken` is the version with which this process took the lock, `proved` the seconds since
        boot before it was written."""
        self._register, self._parts, self._clock = register, parts, clock
        self._shown = register.engine.shown
        self._head, self._version, self._proved = taken.head, taken.version, proved
        self._problem: StateError | None = None
        self._is_settled, self._is_current = False, taken.is_current
        self._writing = threading.RLock()
        self._beat = _Beat(self.beat_if_due, register.engine.pace.beat)
        self.saved: State = taken.saved
        self.events: Sequence[Event] = taken.events

    @property
    def is_there(self) -> bool:
        return True

    @property
    def journal_id(self) -> str:
        return ""

    def log(self, durable: Durable) -> GroupCommit:
        return _Log(self, durable, self._register, self._shown)

    def start_beat(self) -> None:
        """Keeps the lock alive from now on, from a thread of its own."""
        self._beat.start()

    def warnings(self) -> list[Diagnostic]:
        return []

    def check_held(self) -> None:
        """After a pause that is long enough for others to take the lock, asks the engine."""
        self.retake()
        self.beat_if_due(late=self._register.patience)

    def retake(self) -> None:
        if self._problem is not None:
            raise self._problem

    def save(self, state: State, *, last: bool) -> None:
        with self._writing:
            head = self._following()
            name = f"base-{head.part}"
            self._keep(name, encode_state(state))
            earlier = (head.base, *head.bases)
            bases = earlier[: BASES - 1] if self._is_current else ()
            holder = None if last else head.holder
            new = replace(head, serial=state.serial, base=name, bases=bases, holder=holder)
            self._replace_emptied(new, earlier[len(bases) :])
            self.saved, self._is_current = state, True

    def _replace_emptied(self, head: Head, garbage: Sequence[str] = ()) -> None:
        """Without journal entries, which the saved state has; their blobs and `garbage` go."""
        register, garbage = self._register, [*garbage, *head.segments]
        if register.engine.drops_with_swap:
            register.drop(garbage)
        self._replace(replace(head, segments=(), tail=()))
        if not register.engine.drops_with_swap:
            register.drop(garbage)

    def settle(self) -> None:
        self._is_settled = True

    def release(self) -> None:
        try:
            with self._writing:
                self._release()
        finally:
            self._beat.stop()

    def _release(self) -> None:
        try:
            if self._problem is None and self._is_settled and not self._is_current:
                self.save(self.saved, last=True)  # with the current key
            elif self._problem is None and self._head.holder is not None:
                head = replace(self._following(), holder=None)
                replace_head = self._replace_emptied if self._is_settled else self._replace
                replace_head(head)
        finally:
            released = error(Code.JOURNAL_NOT_WRITTEN, "released")
            self._problem = self._problem or StateError([released])

    def damaged(self, case: str) -> StateError:
        return self._parts.damaged(self._head.base, case)

    # Writes

    def commit(self, texts: Sequence[bytes]) -> None:
        """Adds journal entries. What is large, or would make the head so, goes into a segment."""
        with self._writing:
            head = self._following()
            tail, moved = (*head.tail, *texts), head.tail
            if any(len(text) > LARGE_ENTRY for text in texts):
                tail, moved = (), tail
            elif sum(map(len, tail)) > LARGEST_TAIL:
                tail = tuple(texts)
            else:
                moved = ()
            if moved:
                self._keep(head.part, encode_segment(moved))
                head = replace(head, segments=(*head.segments, head.part))
            self._replace(replace(head, tail=tail))
            self._is_settled = False

    def beat_if_due(self, late: float = 0.0) -> float:
        """Rewrites the head if nothing was written for the time of a beat, or for `late` seconds if
        that is longer. Returns in how many seconds it is due again; StateError if the lock is
        lost."""
        pause = max(late, self._register.engine.pace.beat)
        if self._clock.boot() >= self._proved + pause:
            with self._writing:
                if self._clock.boot() >= self._proved + pause:
                    self._replace(self._following())
        return self._proved + pause - self._clock.boot()

    def _following(self) -> Head:
        if self._problem is not None:
            raise self._problem
        return self._head.following()

    def _replace(self, head: Head) -> None:
        """The head's only writer. StateError, from then on, unless it certainly was written."""
        began = self._clock.boot()
        data = encode_head(head, self._parts.cipher(head.lineage))
        try:
            version = self._register.swap(data, self._version)
        except HeadMovedError:
            raise self._lose(self._lost(Code.STATE_FENCED)) from None
        except UnknownWriteError as problem:
            said = self._lost(Code.STATE_WRITE_UNKNOWN, reason=str(problem))
            raise self._lose(said) from problem
        except Denied as problem:
            raise self._lose(state_error(problem, self._shown)) from problem
        except BaseException:
            self._lose(self._lost(Code.STATE_WRITE_UNKNOWN, reason="it was interrupted"))
            raise
        self._head, self._version, self._proved = head, version, began

    def _keep(self, name: str, data: bytes) -> None:
        """Stores a blob. That may fail only once: its name must not get another content."""
        try:
            self._parts.keep(name, data, self._head.lineage)
        except (Unsure, Denied) as problem:
            raise self._lose(state_error(problem, self._shown)) from problem
        except BaseException:
            self._lose(self._lost(Code.STATE_WRITE_UNKNOWN, reason="it was interrupted"))
            raise

    def _lose(self, problem: StateError) -> StateError:
        self._problem = problem
        return problem

    def _lost(self, code: Code, **facts: Arg) -> StateError:
        return StateError([error(code, at=NOWHERE, file=self._shown, **facts)])


class _Log(GroupCommit):
    """The journal of a shared state: the outcomes of creates that ended together and the intents of
    those that follow share one swap."""

    def __init__(self, held: HeldHead, durable: Durable, register: Register, shown: str) -> None:
        super().__init__(durable, shown=shown)
        self._held, self._register = held, register

    def write(self, texts: Sequence[bytes]) -> None:
        self._held.commit(texts)

    def patience(self) -> float:
        """Without it, batches of one and of all others would alternate."""
        share = _SHARE_OF_WRITE * self._register.duration
        return max(self._register.gap, min(share, _LONGEST_WAIT))


class _Beat:
    """The thread that shows others that the holder is alive. `beat` returns in how many seconds it
    is to be called again."""

    def __init__(self, beat: Callable[[], float], first: float) -> None:
        self._beat, self._seconds = beat, first
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="beat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        # Why it failed is said by the run's own thread, when it writes or is about to send.
        with suppress(Exception):
            while not self._stopped.wait(self._seconds):
                self._seconds = max(0.05, self._beat())
