"""Any manifest gives tasks or diagnostics with a position, in every text encoding."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.manifest.loader import load
from reconciler.messages import word
from reconciler.model.diagnostics import has_errors
from tests.support.fuzzing import CORPUS, corpus, mutant

SEEDS = corpus("manifests")
CASES = [
    path.read_bytes() for path in sorted((CORPUS.parent / "acceptance/manifests").glob("*.yaml"))
]


def check(folder: Path, content: bytes) -> None:
    (folder / "a.yaml").write_bytes(content)
    found = load(["a.yaml"], root=folder)
    for diagnostic in found.diagnostics:
        assert word(diagnostic).summary
        assert diagnostic.file == "a.yaml"
    if not has_errors(found.diagnostics):
        assert all(task.key for task in found.tasks)


@pytest.mark.parametrize("name", SEEDS)
def test_each_manifest_of_the_corpus(name: str, tmp_path: Path) -> None:
    check(tmp_path, SEEDS[name])


@pytest.mark.soak
@settings(max_examples=20_000)
@given(seed=st.integers(0, 2**64))
def test_mutants(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    check(tmp_path_factory.getbasetemp(), mutant([*SEEDS.values(), *CASES], Random(seed)))
