"""Any stored bytes give a state, events or a plan, or an error that names the problem.

Checksums would reject every mutant before it is decoded, so each is also checked with a valid one.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from reconciler.app.plan_file import decoded
from reconciler.messages import word
from reconciler.model.diagnostics import StateError, TaskctlError
from reconciler.model.typed_json import ShapeError, with_checksum
from reconciler.state.codec import StateSource, decode_event, decode_state, encode_state
from reconciler.state.journal import read_journal
from reconciler.state.ledger import fold
from reconciler.state.store import decode_head
from tests.support.state_samples import BACKEND, empty

_STATE_CHECKSUM = re.compile(rb' *"checksum": "[^"\n]*",?\n')


def checking(
    check: Callable[[bytes], None],
) -> Callable[[Path], AbstractContextManager[Callable[[bytes], None]]]:
    """A target that needs no directory."""

    @contextmanager
    def opened(_: Path) -> Iterator[Callable[[bytes], None]]:
        yield check

    return opened


def check_state(data: bytes) -> None:
    _check_state(data)
    _check_state(_STATE_CHECKSUM.sub(b"", data))


def _check_state(data: bytes) -> None:
    try:
        state = decode_state(data, StateSource("s.json"), backend=BACKEND)
    except StateError as problem:
        _word(problem)
    else:  # everything readable can be written and read back unchanged
        again = encode_state(state)
        read = decode_state(again, StateSource("s.json"), backend=BACKEND)
        assert encode_state(read) == again


def check_journal(data: bytes) -> None:
    _check_journal(data)
    _check_journal(_checksummed(data))


def _check_journal(data: bytes) -> None:
    try:
        replay = read_journal(data, file="s.json.journal")
    except StateError as problem:
        _word(problem)
    else:
        encode_state(fold(empty(), replay.events))


def _checksummed(journal: bytes) -> bytes:
    """The lines of a journal with the lengths and checksums that they should have."""
    crc, lines = 0, []
    for line in journal.splitlines():
        text = line.split(b" ", 2)[-1]
        counted = b"%d %b" % (len(text), text)
        crc = zlib.crc32(counted, crc)
        lines.append(b"%08x %b\n" % (crc, counted))
    return b"".join(lines)


def check_event(data: bytes) -> None:
    with suppress(ShapeError):
        encode_state(fold(empty(), [decode_event(data)]))


def check_head(data: bytes) -> None:
    """`data` is a head without its checksum."""
    with suppress(ShapeError):
        try:
            decode_head(with_checksum(b"{" + data), "git:origin")
        except StateError as problem:
            _word(problem)


def check_plan(data: bytes) -> None:
    try:
        decoded(data, "plan.taskctl")
    except TaskctlError as problem:
        _word(problem)


def _word(problem: TaskctlError) -> None:
    for diagnostic in problem.diagnostics:
        assert word(diagnostic).summary
