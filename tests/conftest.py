"""Settings and checks for all tests."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from reconciler.app.ci import SYSTEMS
from tests.support import quick_disk
from tests.support.skipped_time import skipped_time

# Every run uses the same examples, so that a change never fails because of another one; `make soak`
# draws new ones, and more of them. There are no time limits: machines are shared.
_PATIENT = settings(deadline=None, suppress_health_check=list(HealthCheck))
settings.register_profile("same", _PATIENT, derandomize=True, max_examples=25)
settings.register_profile("new", _PATIENT, derandomize=False, max_examples=300)
settings.load_profile("same")

# A shell that starts the tests in the background ignores SIGINT, and every process that the tests
# start would inherit that: tests of interrupts could not pass.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Only tests have a cache, each its own, and never that of whoever runs them.
os.environ["TASKCTL_CACHE_DIR"] = f"{os.devnull}/none"

# The same tests run on a desk and in CI: one that is about CI sets these itself.
for _variable in SYSTEMS:
    os.environ.pop(_variable, None)
_number = count()


@pytest.fixture(autouse=True)
def cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of this test's cache, which does not exist yet."""
    folder = tmp_path_factory.getbasetemp() / f"cache-{next(_number)}"
    monkeypatch.setenv("TASKCTL_CACHE_DIR", str(folder))
    return folder


SOAK_SECONDS = 7200


def pytest_xdist_auto_num_workers() -> int:
    """Two for each core: many tests wait for processes that they started. (On two cores, two
    workers take 1.15 times as long, and three 1.05 times.)"""
    return 2 * (os.cpu_count() or 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("soak"):
            item.add_marker(pytest.mark.timeout(SOAK_SECONDS), append=False)


@pytest.fixture(autouse=True, scope="module")
def _do_not_wait_for_the_disk() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", quick_disk.fsync)
        yield


@pytest.fixture(autouse=True, scope="module")
def _do_not_wait() -> Iterator[None]:
    """Each module starts with the right time: days would add up over all tests."""
    with skipped_time():
        yield


MAX_LEFT_OPEN = 60  # file descriptors that one file's tests may leave to the garbage collector


@pytest.fixture(autouse=True, scope="module")
def _check_for_leaked_descriptors() -> Iterator[None]:
    """Without this check, a leak would show much later, in an unrelated test."""
    before = _open_files()
    yield
    left = Counter(_open_files().values()) - Counter(before.values())
    assert left.total() <= MAX_LEFT_OPEN, f"not closed by these tests: {left.most_common(5)}"


def _open_files() -> dict[str, str]:
    """The target of each descriptor, as Linux names it; empty on other systems."""
    found = {}
    for link in Path("/proc/self/fd").glob("*"):
        with suppress(OSError):
            found[link.name] = re.sub(r"\d+", "N", str(link.readlink()))
    return found
