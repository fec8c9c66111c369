"""The fuzz targets: each reads arbitrary bytes and must answer with a value or a diagnostic.

`corpus/NAME/` has the inputs of a target, valid or not, one per file. `make test` replays them, and
`make fuzz` starts from them. An input that broke something stays there under a descriptive name.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from tests.fuzz import manifests, responses, stored, texts

Check = Callable[[bytes], object]
"""Raises for an input that breaks a guarantee."""

TARGETS: dict[str, Callable[[Path], AbstractContextManager[Check]]] = {
    "manifest": manifests.checking_manifests,
    "data": manifests.checking_data,
    "response": responses.checking_responses,
    "state": stored.checking(stored.check_state),
    "journal": stored.checking(stored.check_journal),
    "event": stored.checking(stored.check_event),
    "head": stored.checking(stored.check_head),
    "plan": stored.checking(stored.check_plan),
    "answer": stored.checking(texts.check_answer),
}
"""Each receives an empty directory, and what it returns is used for any number of inputs."""

CORPUS = Path(__file__).parent / "corpus"


def corpus(target: str) -> dict[str, bytes]:
    """The inputs of a target by file name."""
    return {path.name: path.read_bytes() for path in sorted((CORPUS / target).iterdir())}
