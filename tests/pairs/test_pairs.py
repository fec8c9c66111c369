"""Each pair of features that can be combined, and the code of those that cannot."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import pytest

from tests.pairs.features import (
    IMPOSSIBLE,
    Impossible,
    Row,
    covering_rows,
    examples_of,
    pairs_of,
    possible_pairs,
    row_of,
)
from tests.pairs.story import Network, Story
from tests.support.embedded_server import running_app
from tests.support.http_objects import memory_s3
from tests.support.skipped_time import stopped_time
from tests.support.state_servers import S3_KEYS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)
ROWS = 22


class Services:
    """The address of the service of the story that is being told: all share one server, because to
    start one takes long."""

    current: WSGIApplication

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self.current(environ, start_response)


class Servers(NamedTuple):
    services: Services
    url: str
    storage: str


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    services: Any = Services()
    with memory_s3() as storage, running_app(services) as url:
        yield Servers(services, url, storage)


@contextmanager
def story_of(row: Row, folder: Path, servers: Servers) -> Iterator[Story]:
    """The story of a row, at a fixed time, which passes only where a command waits."""
    folder = folder / "repository"
    folder.mkdir(parents=True)
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("TASKCTL_", "PULUMI_"))}
    env = {**kept, **S3_KEYS, "PULUMI_HOME": str(folder / "home"), "TASKCTL_BACKEND": servers.url}
    network = Network(folder / "service.db")
    with closing(network), stopped_time() as time:
        time.stop(NOW, 1000.0)
        servers.services.current = network
        story = Story(row, folder, network, env)
        if story.uses("state"):
            env["TASKCTL_STATE"] = f"s3://states/{uuid4()}?endpoint={servers.storage}"
            assert story.run("state", "init", "--new").code == 0
        try:
            yield story
        except BaseException:
            print({name: value for name, value in row.items() if value}, *story.said, sep="\n")
            raise


@pytest.mark.parametrize("number", range(ROWS))
def test_each_pair(number: int, tmp_path: Path, servers: Servers) -> None:
    with story_of(covering_rows(2)[number], tmp_path, servers) as story:
        story.tell()


def test_each_pair_that_can_be_combined_is_told() -> None:
    rows = covering_rows(2)
    assert len(rows) == ROWS
    assert {pair for row in rows for pair in pairs_of(row)} == set(possible_pairs())


@pytest.mark.soak
def test_each_triple(tmp_path: Path, servers: Servers) -> None:
    for number, row in enumerate(covering_rows(3)):
        with story_of(row, tmp_path / str(number), servers) as story:
            story.tell()


@pytest.mark.parametrize(
    "row",
    [
        # A task that is lost, and created again while its response is lost.
        {"loss": "lost", "--allow-recreate": "all", "--replace": "key", "response": "lost"},
        # The tasks of a key that moves say its former name.
        {"loss": "lost", "--allow-recreate": "all", "movedFrom": "recorded"},
    ],
)
def test_combinations_of_more_features(row: Row, tmp_path: Path, servers: Servers) -> None:
    with story_of({**row_of(), **row, "console": "copied prompt"}, tmp_path, servers) as story:
        story.tell()


@pytest.mark.parametrize("impossible", IMPOSSIBLE, ids=lambda row: row.feature)
def test_what_cannot_be_combined_has_a_code(
    impossible: Impossible, tmp_path: Path, servers: Servers
) -> None:
    for number, row in enumerate(examples_of(impossible)):
        with story_of(row, tmp_path / str(number), servers) as story:
            assert story.refused() == (1, [impossible.code])
