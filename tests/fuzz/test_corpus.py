"""Every input of every corpus passes its target."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.targets import CORPUS, TARGETS, corpus


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


def test_every_directory_of_inputs_has_a_target() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)
