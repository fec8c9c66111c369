"""A service on a new file with a clock that stands still, and two users of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.embedded.app import App
from tests.support.embedded_client import Api, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "local.db"


@pytest.fixture
def app(db: Path, clock: Clock) -> Iterator[App]:
    app = App(db, now=clock, work_seconds=10)
    yield app
    app.close()


@pytest.fixture
def api(app: App) -> Api:
    return Api(app)


@pytest.fixture
def other(app: App) -> Api:
    return Api(app, token="bob")
