"""The event stream: past and new events, resuming, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from threading import Event as Flag
from threading import Semaphore

from reconciler.embedded.app import App
from reconciler.embedded.lists import StoredEvent
from reconciler.embedded.sse import EventBatch, EventFeed
from tests.support.embedded_client import Api, Clock


def frames(data: bytes) -> list[tuple[str, dict[str, object]]]:
    """The events of a stream as (id, data)."""
    found = []
    for block in data.decode().split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in block.split("\n") if line[:1] not in ("", ":")
        )
        if "data" in fields:
            found.append((fields["id"], json.loads(fields["data"])))
    return found


def stream(api: Api, task_id: str, **headers: str) -> list[tuple[str, dict[str, object]]]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = api.call("GET", f"{api.tasks}/{task_id}/events/stream", headers=named)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert "Content-Length" not in answer.headers
    return frames(answer.body)


def test_the_stream_of_an_idle_task_has_all_events_and_ends(api: Api, clock: Clock) -> None:
    task_id = api.create("Line one\nline two \u2028 end")
    clock.forward(10)
    found = stream(api, task_id)
    assert [event for _, event in found] == api.events(task_id)
    assert [event_id for event_id, _ in found] == [event["id"] for _, event in found]


def test_a_stream_resumes_after_the_last_id(api: Api, clock: Clock) -> None:
    task_id = api.create()
    clock.forward(10)
    whole = stream(api, task_id)
    for number, (event_id, _) in enumerate(whole):
        assert stream(api, task_id, Last_Event_ID=event_id) == whole[number + 1 :]
    assert stream(api, task_id, Last_Event_ID="of another stream") == whole


def test_the_stream_of_a_running_task_ends_when_it_is_idle(db: Path) -> None:
    with closing(App(db, work_seconds=0.6, streams_end=True)) as app:
        api = Api(app)
        task_id = api.create()
        status, _, chunks = api.start("GET", f"{api.tasks}/{task_id}/events/stream")
        received = list(chunks)
        assert status == 200
        assert len(frames(received[1])) == 1
        assert len(frames(b"".join(received))) == 5
        assert [event for _, event in frames(b"".join(received))] == api.events(task_id)


def test_the_stream_ends_when_the_task_is_no_longer_visible(api: Api, other: Api) -> None:
    task_id = api.create()
    api.patch(task_id, isShared=True)
    _, _, chunks = other.start("GET", f"{api.tasks}/{task_id}/events/stream")
    steps = iter(chunks)
    next(steps)
    next(steps)
    api.patch(task_id, isShared=False)
    assert list(steps) == []


def test_the_number_of_streams_is_limited(db: Path, clock: Clock) -> None:
    with closing(App(db, now=clock, max_streams=2)) as app:
        api = Api(app)
        path = f"{api.tasks}/{api.create()}/events/stream"
        open_ones = [api.start("GET", path)[2] for _ in range(2)]
        refused = api.call("GET", path)
        assert refused.status == 503
        assert refused.headers["Retry-After"] == "5"
        close(open_ones[0])
        close(open_ones[0])
        status, _, chunks = api.start("GET", path)
        assert status == 200
        assert api.call("GET", path).status == 503
        close(chunks)
        close(open_ones[1])


def test_stopping_the_service_ends_its_streams(app: App, api: Api) -> None:
    _, _, chunks = api.start("GET", f"{api.tasks}/{api.create()}/events/stream")
    steps = iter(chunks)
    next(steps)
    next(steps)
    app.stop_streams()
    assert list(steps) == []


def test_a_closed_client_ends_its_stream() -> None:
    gone = Flag()
    steps = quiet_stream(is_gone=gone.is_set)
    next(steps)
    gone.set()
    assert list(steps) == []


def test_a_quiet_stream_has_a_heartbeat() -> None:
    steps = quiet_stream(heartbeat_seconds=0.0)
    assert next(steps) == b"retry: 1000\n\n"
    assert next(steps) == b": heartbeat\n\n"


def test_past_events_are_sent_in_batches() -> None:
    past = [StoredEvent(n, f"id-{n}", "{}") for n in range(450)]

    def look(after: int, limit: int) -> EventBatch:
        return EventBatch(past[after + 1 :][:limit], is_last=True)

    made = EventFeed(look, after=-1, slots=Semaphore(1), stopping=Flag(), is_gone=lambda: False)
    chunks = list(made)
    assert len(chunks) == 4
    assert [event_id for event_id, _ in frames(b"".join(chunks))] == [e.id for e in past]


def quiet_stream(
    *, is_gone: Callable[[], bool] = lambda: False, heartbeat_seconds: float = 15.0
) -> EventFeed:
    return EventFeed(
        lambda _after, _limit: EventBatch([], is_last=False),
        after=-1,
        slots=Semaphore(1),
        stopping=Flag(),
        is_gone=is_gone,
        heartbeat_seconds=heartbeat_seconds,
    )


def close(chunks: Iterable[bytes]) -> None:
    assert isinstance(chunks, EventFeed)
    chunks.close()
