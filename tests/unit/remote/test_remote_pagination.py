from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext

import pytest

from reconciler.model.codes import Code
from reconciler.model.diagnostics import RemoteError
from reconciler.model.limits import EVENT_PAGES, EVENT_SECONDS, LIST_PAGES, LIST_SECONDS
from reconciler.remote.pagination import Page, event_pages, list_pages
from tests.support.client_tools import FakeTime

Table = dict[str | None, Page]


def reader(table: Table, asked: list[str | None]) -> Callable[..., Page]:
    def read(token: str | None) -> Page:
        asked.append(token)
        return table[token]

    return read


THREE: Table = {None: ([1, 2], "a"), "a": ([], "b"), "b": ([3], None)}


def test_a_list_is_read_to_its_end() -> None:
    asked: list[str | None] = []
    assert list(list_pages(reader(THREE, asked))) == [([1, 2], "a"), ([], "b"), ([3], None)]
    assert asked == [None, "a", "b"]
    assert list(event_pages(reader(THREE, asked))) == [([1, 2], "a"), ([], "b"), ([3], None)]


@pytest.mark.parametrize("read_all", [event_pages, list_pages])
def test_a_repeated_page_token_is_an_error(read_all: Callable[..., Iterator[object]]) -> None:
    asked: list[str | None] = []
    circle: Table = {None: ([1], "a"), "a": ([2], "b"), "b": ([3], "a")}
    with pytest.raises(RemoteError) as caught:
        list(read_all(reader(circle, asked)))
    assert caught.value.diagnostics[0].code is Code.UNREADABLE_LIST
    assert asked == [None, "a", "b"]


def test_pages_are_read_only_as_needed() -> None:
    asked: list[str | None] = []
    stream = event_pages(reader(THREE, asked))
    assert next(stream) == ([1, 2], "a")
    assert asked == [None]


@pytest.mark.parametrize(
    ("read_all", "limit"), [(event_pages, EVENT_PAGES), (list_pages, LIST_PAGES)]
)
@pytest.mark.parametrize("more", [0, 1])
def test_the_pages_of_a_list_are_limited(
    read_all: Callable[..., Iterator[object]], limit: int, more: int
) -> None:
    """A service could always name a new task."""

    def read(token: str | None) -> Page:
        number = int(token or 1)
        return [{"id": f"t{number}"}], str(number + 1) if number < limit + more else None

    if not more:
        assert len(list(read_all(read))) == limit
        return
    with pytest.raises(RemoteError) as caught:
        list(read_all(read))
    assert caught.value.diagnostics[0].case == "long"


@pytest.mark.parametrize("seconds", [EVENT_SECONDS / 3, EVENT_SECONDS / 2])
def test_the_time_of_reading_events_is_limited(seconds: float) -> None:
    """The time of whoever uses them, such as a pager, does not count."""
    time = FakeTime()

    def read(token: str | None) -> Page:
        time.now += seconds + 0.001
        number = int(token or 1)
        return [{"id": f"t{number}"}], str(number + 1) if number < 3 else None

    found = []
    with pytest.raises(RemoteError) if seconds > EVENT_SECONDS / 3 else nullcontext() as caught:
        for page in event_pages(read, clock=time.clock):
            found.append(page)
            time.now += 1_000.0
    assert len(found) == (2 if caught else 3)
    if caught:
        assert caught.value.diagnostics[0].case == "slow"


def test_the_time_of_reading_the_list_is_limited() -> None:
    time, asked = FakeTime(), list[int]()

    def read(token: str | None) -> Page:
        time.now += LIST_SECONDS / 2 + 1
        number = int(token or 1)
        asked.append(number)
        return [{"id": f"t{number}"}], str(number + 1)

    with pytest.raises(RemoteError) as caught:
        list(list_pages(read, clock=time.clock))
    assert asked == [1, 2]
    assert caught.value.diagnostics[0].case == "slow"


def test_an_empty_page_does_not_end_the_list() -> None:
    def read(token: str | None) -> Page:
        number = int(token or 0)
        full: list[object] = [{"id": f"task-{number}"}]
        return (full if number % 40 == 0 else []), (str(number + 1) if number < 100 else None)

    assert len(list(event_pages(read))) == 101
