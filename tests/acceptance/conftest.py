"""Shared states for tests through the command line: all share one server of each engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.shared_places import PLACES, SharedPlace


@pytest.fixture(scope="session", params=PLACES)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SharedPlace]:
    with PLACES[request.param](tmp_path_factory.mktemp(request.param)) as made:
        yield made


@pytest.fixture
def state(request: pytest.FixtureRequest) -> str:
    """The name of a state that no other test uses."""
    return f"state-{abs(hash(request.node.nodeid))}"
