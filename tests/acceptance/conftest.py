"""Fixtures of tests through the command line. Shared states share one server of each engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.in_process import here
from tests.support.live_tasks import place
from tests.support.sandbox import server
from tests.support.shared_places import EACH_PLACE, PLACES, SharedPlace

__all__ = ["here", "place", "server"]


@pytest.fixture(scope="session", params=EACH_PLACE)
def shared_place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SharedPlace]:
    with PLACES[request.param](tmp_path_factory.mktemp(request.param)) as made:
        yield made


@pytest.fixture
def state(request: pytest.FixtureRequest) -> str:
    """The name of a state that no other test uses."""
    return f"state-{abs(hash(request.node.nodeid))}"
