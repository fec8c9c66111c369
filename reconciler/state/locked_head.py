"""A shared state that this process has locked, so that only this process writes its head. If the
lock may be lost, the run ends: from then on, `check_lock` and all writes raise StateError.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from reconciler.model import limits
from reconciler.model.clock import Clock
from reconciler.model.codes import Code
from reconciler.model.diagnostics import NOWHERE, Diagnostic, StateError, warning
from reconciler.model.remarks import Arg
from reconciler.model.value import replace
from reconciler.state.codec import encode_state
from reconciler.state.commit import Durable, GroupCommit
from reconciler.state.engines import Denied, Full, Unsure, scheme_of
from reconciler.state.lock import LastApply
from reconciler.state.model import State
from reconciler.state.register import HeadMovedError, UnknownWriteError, state_error
from reconciler.state.store import BASES, Head, Snapshot, Store, encode_segment

LARGE_ENTRY = 16 * 1024
MAX_TAIL = 256 * 1024
"""Bytes of journal entries: the head is rewritten with each commit and each heartbeat."""

_SHARE_OF_WRITE, _MAX_WAIT = 0.2, 0.02


class LockedHead:
    """`state.location.LockedState` of a shared state."""

    def __init__(
        self,
        store: Store,
        taken: Snapshot,
        clock: Clock,
        proved: float,
        edited: LastApply | None,
    ) -> None:
        """`taken` is the version that this process wrote when it took the lock; `proved` is the
        time before that write, in seconds since boot; `edited` is the declaration after an edit."""
        self._store, self._register, self._clock = store, store.register, clock
        self._display_name, self._pace = self._register.display_name, self._register.engine.pace
        self._head, self._version, self._proved = taken.head, taken.version, proved
        self._edited = edited
        self._size, self._stored = taken.size, taken.size + taken.journal
        self._problem: StateError | None = None
        self._folded: State | None = None  # the saved state, once it has all entries of the log
        self._writing = threading.RLock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run_heartbeat, name="heartbeat", daemon=True)

    @property
    def exists(self) -> bool:
        return True

    @property
    def declared(self) -> LastApply | None:
        return self._head.declared

    def note_edit(self) -> None:
        with self._writing:  # written together with the edit
            self._head = replace(self._head, declared=self._edited)

    def log(self, durable: Durable) -> GroupCommit:
        return GroupCommit(
            self._commit, durable, display_name=self._display_name, linger=self._linger
        )

    def _linger(self) -> float:
        """Seconds to wait for more events before a write. Without this wait, a write would often
        contain a single event, and all other events would wait for the next write."""
        share = _SHARE_OF_WRITE * self._register.duration
        return max(self._register.gap, min(share, _MAX_WAIT))

    def warnings(self) -> list[Diagnostic]:
        if scheme_of(self._display_name) != "git" or self._size < limits.GIT_HOST_BYTES:
            return []
        facts = {"file": self._display_name, "size": f"{self._size // 10**6} MB"}
        return [warning(Code.STATE_LARGE, at=NOWHERE, **facts)]

    def check_lock(self) -> None:
        """Raises StateError if the lock was lost. If another process had enough time to take it,
        rewrites the head, which fails in that case."""
        self._refuse_lost()
        self._heartbeat_if_due(late=self._register.write_timeout)

    def _refuse_lost(self) -> None:
        if self._problem is not None:
            raise self._problem

    def save(self, state: State, *, last: bool) -> State:
        with self._writing:
            head = self._following()
            name = f"base-{head.part}"
            self._store.describe(state)
            self._stored = self._put_blob(name, encode_state(state))
            earlier = (head.base, *head.bases)
            bases = earlier[: BASES - 1]
            holder = None if last else head.holder
            new = replace(head, serial=state.serial, base=name, bases=bases, holder=holder)
            self._replace_emptied(new, earlier[len(bases) :])
        return state

    def _replace_emptied(self, head: Head, garbage: Sequence[str] = ()) -> None:
        """Writes the head without the journal entries that are in the saved state, and deletes
        their blobs and `garbage`."""
        register, garbage = self._register, [*garbage, *head.segments]
        if register.engine.deletes_with_swap:
            register.delete_blobs(garbage)
        self._replace(replace(head, segments=(), tail=()))
        if not register.engine.deletes_with_swap:
            register.delete_blobs(garbage)

    def clear_log(self, state: State) -> None:
        """Makes the next write drop the journal entries."""
        self._folded = state

    def release(self) -> None:
        try:
            with self._writing:
                self._release()
        finally:
            self._stopped.set()
            if self._thread.ident is not None:
                self._thread.join()

    def _release(self) -> None:
        try:
            folded = self._folded
            if self._problem is None and self._head.holder is not None:
                write = self._replace if folded is None else self._replace_emptied
                write(replace(self._following(), holder=None))
        finally:
            released = StateError.of(Code.JOURNAL_NOT_WRITTEN, "released")
            self._problem = self._problem or released

    # Heartbeats

    def start_heartbeat(self) -> None:
        """Starts a thread that shows other processes that this process is running."""
        self._thread.start()

    def _run_heartbeat(self) -> None:
        seconds = self._pace.heartbeat
        # The run's other threads report the failure when they write or are about to send a request.
        with suppress(Exception):
            while not self._stopped.wait(seconds):
                seconds = max(0.05, self._heartbeat_if_due())

    def _heartbeat_if_due(self, late: float = 0.0) -> float:
        """Rewrites the head if nothing was written for the interval of heartbeats, or for `late`
        seconds if that is longer. Returns the seconds until the next heartbeat is due. Raises
        StateError if the lock is lost."""
        pause = max(late, self._pace.heartbeat)
        if self._clock.boot() >= self._proved + pause:
            with self._writing:
                if self._clock.boot() >= self._proved + pause:
                    self._replace(self._following())
        return self._proved + pause - self._clock.boot()

    # Writes

    def _commit(self, texts: Sequence[bytes]) -> None:
        """Adds journal entries. Large entries, or entries that would make the head large, go into a
        segment."""
        with self._writing:
            head = self._following()
            tail, moved = (*head.tail, *texts), head.tail
            size = sum(map(len, texts))
            if size > MAX_TAIL or any(len(text) > LARGE_ENTRY for text in texts):
                tail, moved = (), tail
            elif sum(map(len, tail)) > MAX_TAIL:
                tail = tuple(texts)
            else:
                moved = ()
            if moved:
                self._stored += self._put_blob(head.part, encode_segment(moved), self._stored)
                head = replace(head, segments=(*head.segments, head.part))
            self._replace(replace(head, tail=tail))
            self._folded = None

    def _following(self) -> Head:
        self._refuse_lost()
        return self._head.following()

    def _replace(self, head: Head) -> None:
        """The only method that writes the head. Raises StateError unless the write certainly
        succeeded. After such a failure, every call raises StateError."""
        began = self._clock.boot()
        with self._ending():
            version = self._store.swap(head, self._version)
        self._head, self._version, self._proved = head, version, began

    def _put_blob(self, name: str, data: bytes, beside: int = 0) -> int:
        """Stores a blob and returns its size. A failed call is not repeated, because the content of
        a name must never change."""
        with self._ending():
            return self._store.put_blob(name, data, beside)

    @contextmanager
    def _ending(self) -> Iterator[None]:
        """Ends the run if a write in this context fails, or may have failed. If the write was
        rejected as too large before it was sent, the run continues."""
        try:
            yield
        except Full as problem:
            raise state_error(problem, self._display_name) from problem
        except HeadMovedError:
            raise self._lose(Code.STATE_FENCED) from None
        except UnknownWriteError as problem:
            raise self._lose(Code.STATE_WRITE_UNKNOWN, reason=str(problem)) from problem
        except (Unsure, Denied) as problem:
            self._problem = state_error(problem, self._display_name)
            raise self._problem from problem
        except BaseException:
            self._lose(Code.STATE_WRITE_UNKNOWN, reason="it was interrupted")
            raise

    def _lose(self, code: Code, **facts: Arg) -> StateError:
        self._problem = StateError.of(code, at=NOWHERE, file=self._display_name, **facts)
        return self._problem
