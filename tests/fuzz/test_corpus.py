"""Every input of every corpus passes its target."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from reconciler.app.plan_file import decoded
from reconciler.model.typed_json import with_checksum
from reconciler.state.codec import decode_event
from reconciler.state.model import Event
from reconciler.state.store import decode_head
from tests.fuzz.targets import CORPUS, TARGETS, corpus
from tests.support.state_files import read
from tests.support.state_golden import decode


@pytest.mark.parametrize("target", TARGETS)
def test_every_input_of_the_corpus(target: str, tmp_path: Path) -> None:
    inputs = corpus(target)
    assert inputs
    with TARGETS[target](tmp_path) as check:
        for name, content in inputs.items():
            try:
                check(content)
            except BaseException as problem:
                problem.add_note(f"input: {target}/{name}")
                raise


CURRENT: dict[str, Callable[[bytes], object]] = {
    "state/every-part.json": decode,
    "state/without-checksum.json": decode,
    "state/new.json": decode,
    "journal/current.journal": read,
    "head/two-events.json": lambda data: decode_head(with_checksum(b"{" + data), "a head"),
    "plan/current.plan": lambda data: decoded(data, "a plan"),
}


@pytest.mark.parametrize("name", CURRENT)
def test_inputs_of_the_current_formats_are_read(name: str) -> None:
    """Fuzzing finds little in files of another version."""
    CURRENT[name]((CORPUS / name).read_bytes())


def test_each_kind_of_event_is_an_input_and_in_the_journal() -> None:
    kinds = set(get_args(Event))
    assert {type(decode_event(content)) for content in corpus("event").values()} == kinds
    assert {type(event) for event in read(corpus("journal")["current.journal"]).events} == kinds


def test_every_directory_of_inputs_has_a_target() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)
