"""Any content of a state or a journal gives a state or an error that names the problem."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.messages import word
from reconciler.model.diagnostics import StateError
from reconciler.model.typed_json import ShapeError
from reconciler.state.codec import (
    StateSource,
    decode_event,
    decode_state,
    encode_event,
    encode_state,
)
from reconciler.state.journal import read_journal
from reconciler.state.model import fold
from tests.support.fuzzing import corpus, mutant
from tests.support.state_files import journal_of
from tests.support.state_samples import BACKEND, empty, history

STATES = corpus("state")
JOURNALS = corpus("journal")
EVENTS = [encode_event(event) for event in history(5)]
CURRENT = re.sub(rb'  "checksum".*\n', b"", encode_state(fold(empty(serial=7), history(5))))
"""Without a checksum, which would reject every mutant before it is decoded."""


def check_state(data: bytes) -> None:
    try:
        state = decode_state(data, StateSource("s.json"), backend=BACKEND)
    except StateError as problem:
        _ = [word(diagnostic) for diagnostic in problem.diagnostics]
    else:  # everything readable can be written and read back unchanged
        again = encode_state(state)
        read = decode_state(again, StateSource("s.json"), backend=BACKEND)
        assert encode_state(read) == again


def check_journal(data: bytes) -> None:
    try:
        replay = read_journal(data, file="s.json.journal")
    except StateError as problem:
        _ = [word(diagnostic) for diagnostic in problem.diagnostics]
    else:
        encode_state(fold(empty(), replay.events))


@pytest.mark.parametrize("name", STATES)
def test_each_state_of_the_corpus(name: str) -> None:
    check_state(STATES[name])


@pytest.mark.parametrize("name", JOURNALS)
def test_each_journal_of_the_corpus(name: str) -> None:
    check_journal(JOURNALS[name])


@pytest.mark.soak
@settings(max_examples=20_000)
@given(seed=st.integers(0, 2**64))
def test_mutants_of_states(seed: int) -> None:
    check_state(mutant([*STATES.values(), CURRENT], Random(seed)))


@pytest.mark.soak
@settings(max_examples=20_000)
@given(seed=st.integers(0, 2**64))
def test_mutants_of_journals(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    check_journal(mutant([*JOURNALS.values(), current_journal(tmp_path_factory)], Random(seed)))


@pytest.mark.soak
@settings(max_examples=20_000)
@given(seed=st.integers(0, 2**64))
def test_mutants_of_events(seed: int) -> None:
    """Events with a valid checksum and arbitrary content."""
    with suppress(ShapeError):
        encode_state(fold(empty(), [decode_event(mutant(EVENTS, Random(seed)))]))


def current_journal(factory: pytest.TempPathFactory) -> bytes:
    path: Path = factory.getbasetemp() / "fuzzed.journal"
    return path.read_bytes() if path.exists() else journal_of(path, history(5))
