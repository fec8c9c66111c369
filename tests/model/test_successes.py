"""Every course of a task with `expect`, explored with taskctl's own readers, caches and plans: it
finishes, fails and goes on, its pull request is merged, what is expected of it changes, and its
caches are emptied. Whoever
reads it, with whatever cache, finds the same; and a plan creates the task after it accordingly."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import pytest

from reconciler.app.expectations import Evaluation, Expectations
from reconciler.app.recorded_tasks import RecordedTasks
from reconciler.app.task_reader import ReadPosition, TaskReader, event_cache
from reconciler.model.options import SETTLE_TIME, PlanOptions
from reconciler.model.service import RemoteTask
from reconciler.model.task import Expectation, TaskId
from reconciler.model.task_state import Kind, Progress, TaskState
from reconciler.model.value import replace
from reconciler.plan import progress
from reconciler.plan.plan import Reason
from reconciler.plan.progress import Standing, Success, TaskProgress
from reconciler.plan.steps import Inputs, followed_by, make_plan
from reconciler.remote.cache import TaskCache
from reconciler.state.edit import mark_done
from reconciler.state.ledger import fold
from reconciler.state.model import Record, State
from reconciler.tasks import judgement
from reconciler.tasks.status import TaskStatus
from tests.model.search import Explored, explore
from tests.support import plan_values
from tests.support.plan_values import ME, NOW

FILE = "a.yaml"
ANSWERS = {"says a": '{"a": 1}', "says b": '{"b": 1}', "says no more": "done"}
WANTED: dict[str, dict[str, object]] = {
    "nothing": {},
    "a": {"data": {"required": ["a"]}},
    "b": {"data": {"required": ["b"]}},
    "a merge": {"data": {"required": ["a"]}, "pullRequests": 1, "merged": True},
}


class Course(NamedTuple):
    """`events`: what has happened to the task so far. `merged`: its pull request is merged.
    `wanted`: what is expected of it. `done` and
    `met`: the recorded success. `cached`: the files of the cache. `wrong`: what a step found to be
    wrong."""

    events: tuple[str, ...] = ("is asked",)
    merged: bool = False
    wanted: str = "a"
    done: bool = False
    met: str = ""
    cached: tuple[tuple[str, bytes], ...] = ()
    wrong: str = ""


class Client:
    """A client that shows one task."""

    def __init__(self, course: Course) -> None:
        self._events = course.events
        repo = {"forge": "github", "org": "acme", "name": "net"}
        self._pull_request = {"type": "pull_request", "number": 1, "repo": repo}
        self._pull_request["merged"] = course.merged

    def identity(self) -> Any:
        return ME

    def task_url(self, *_: str) -> None:
        return None

    def get_task(self, _: str, task_id: str) -> RemoteTask:
        status = "running" if self._events[-1] == "is asked" else "idle"
        listed: Any = {"entities": [self._pull_request], "tokensUsed": len(self._events)}
        return plan_values.remote(task_id, status=status, **listed)

    def event_pages(self, *_: object) -> Iterator[tuple[list[Any], None]]:
        ends = range(1, len(self._events) + 1)
        yield [_event(self._events[:end]) for end in ends], None


class Files:
    """The files of a cache, in memory."""

    def __init__(self, files: tuple[tuple[str, bytes], ...]) -> None:
        self.files = dict(files)

    def read(self, name: str, most: int) -> bytes | None:
        data = self.files.get(name, b"")
        return data if name in self.files and len(data) <= most else None

    def write(self, name: str, data: bytes) -> None:
        self.files[name] = data


class Manifests(Expectations):
    """Forgets what it has evaluated, as a new process does."""

    def evaluate(
        self, statuses: Sequence[TaskStatus], records: Iterable[Record]
    ) -> list[TaskStatus]:
        self._evaluation = Evaluation()
        return super().evaluate(statuses, records)


class Steps:
    """The successors of a course. `most`: the number of events."""

    def __init__(self, root: Path, most: int) -> None:
        self._most = most
        self._manifests = {
            wanted: Manifests(_repository(root / wanted, expect))
            for wanted, expect in WANTED.items()
        }

    def __call__(self, course: Course) -> Iterator[tuple[str, Course]]:
        events = course.events
        happens = [*ANSWERS, "fails"] if events[-1] == "is asked" else ["is asked"]
        for event in happens if len(events) < self._most else ():
            yield event, course._replace(events=(*events, event))
        if not course.merged:
            yield "the pull request is merged", course._replace(merged=True)
        for wanted in WANTED:
            if wanted != course.wanted:
                yield f"{wanted} is expected", course._replace(wanted=wanted)
        if course.cached:
            yield "the cache is emptied", course._replace(cached=())
        yield "status", self._read(course)
        yield "apply", self._apply(course)

    # taskctl

    def _state(self, course: Course) -> State:
        record = plan_values.record("a", "1", file=FILE)
        known = {"done": course.done, "met": course.met, "expects": True}
        return plan_values.state([replace(record, **known)])

    def _read(self, course: Course) -> Course:
        """A status, and what is wrong with it."""
        files, client = Files(course.cached), Client(course)
        context: Any = SimpleNamespace(
            caches=files,
            client=client,
            service="https://api.example.com",
            connection=SimpleNamespace(parallelism=1),
            reader=_reader(client, files),
        )
        state = self._state(course)
        tasks = RecordedTasks(context, state, self._manifests[course.wanted])
        (found,) = tasks.statuses(list(state.records))
        wrong = ""
        if found.state is not _verdict(course):
            wrong = f"{found.state} for {_verdict(course)}"
        return course._replace(cached=tuple(sorted(files.files.items())), wrong=wrong)

    def _apply(self, course: Course) -> Course:
        """A plan with a task after this one, and what is wrong with it. Successes are recorded."""
        state, expect = self._state(course), _expectation(course.wanted)
        first = replace(plan_values.desired("a", file=FILE), expect=expect)
        second = replace(plan_values.desired("b", file=FILE), after=("a",))
        inputs = Inputs((first, second), state, PlanOptions())
        followed = followed_by(inputs)
        client: Any = Client(course)
        statuses = _reader(client).statuses([each.record for each in followed], 1)
        asked = {each.record.ref: each.expect for each in followed if each.expect is not None}
        read = Evaluation().of_all(statuses, asked)
        met = expect.digest if expect is not None else ""
        done = {"1": met} if any(status.state is TaskState.DONE for status in read) else {}
        progress = {s.ref: TaskProgress(s.state) for s in read}
        seen = plan_values.facts([plan_values.remote("1")], progress=progress)
        plan = make_plan(inputs, seen, plan_values.explained(inputs, seen))
        (after,) = (task for task in plan.tasks if task.ref == second.ref)
        found, expected = None if after.creates else after.reason, _outlook(course)
        wrong = "" if found is expected else f"{found or 'created'} for {expected or 'created'}"
        (record,) = fold(state, mark_done(state, done)).records.values()
        return course._replace(done=record.done, met=record.met, wrong=wrong)


# What is right


def _verdict(course: Course) -> TaskState:
    """The status of the task."""
    last = course.events[-1]
    if last in ANSWERS:
        if course.wanted != "nothing" and last != f"says {course.wanted[0]}":
            return TaskState.UNMET
        is_merged = course.merged or course.wanted != "a merge"
        return TaskState.DONE if is_merged else TaskState.TO_MERGE
    return TaskState.FAILED if last == "fails" else TaskState.RUNNING


def _outlook(course: Course) -> Reason | None:
    """Why the task after it must be held; None if it must be created. A success stands, unless
    something else is expected now, and the task has finished without it."""
    expect, verdict = _expectation(course.wanted), _verdict(course)
    is_current = course.met == (expect.digest if expect is not None else "")
    if verdict is TaskState.DONE:
        return None
    if course.done and (is_current or verdict not in (TaskState.UNMET, TaskState.TO_MERGE)):
        return None
    is_open = verdict in (TaskState.RUNNING, TaskState.TO_MERGE)
    return Reason.AFTER if is_open else Reason.STOPPED


def _expectation(wanted: str) -> Expectation | None:
    given: Any = WANTED[wanted]
    data, count, merged = (given.get(name) for name in ("data", "pullRequests", "merged"))
    return Expectation(count or 0, data, merged is True) if given else None


def _event(events: tuple[str, ...]) -> Mapping[str, object]:
    """The last of these events."""
    bodies: dict[str, dict[str, object]] = {
        "is asked": {"type": "user_message", "content": "do it"},
        "fails": {"type": "error", "message": "no"},
    }
    said = {"type": "assistant_message", "is_final": True, "content": ANSWERS.get(events[-1])}
    kind = "userInput" if events[-1] == "is asked" else "agentResponse"
    return {"id": ", ".join(events), "type": kind, "eventBody": bodies.get(events[-1], said)}


def _reader(client: Client, files: Files | None = None) -> TaskReader:
    service = "https://api.example.com"
    cache = event_cache(cast("Any", files), service, ME) if files is not None else None
    return TaskReader(cast("Any", client), cache, lambda: NOW, SETTLE_TIME)


def _repository(root: Path, expect: Mapping[str, object]) -> Path:
    """A repository with a manifest that expects this."""
    task = {"message": "do it", **({"expect": expect} if expect else {})}
    root.mkdir(parents=True, exist_ok=True)
    (root / FILE).write_text(json.dumps({"version": 1, "tasks": {"a": task}}))
    return root


def explore_successes(root: Path, most: int) -> Explored[Course]:
    steps = Steps(root, most)
    return explore([Course()], steps, lambda course: course.wrong or None)


@pytest.mark.parametrize("most", [3, pytest.param(4, marks=pytest.mark.soak)])
def test_a_success_is_the_same_for_every_reader(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], most: int
) -> None:
    explored = explore_successes(tmp_path, most)
    assert explored.violation is None, str(explored)
    with capsys.disabled():
        print(f"\n{most} events: {explored.states} states")


_put, _of_record = TaskCache.put, Standing.of_record


def _put_without_words(self: TaskCache[Any], task: TaskId, value: Any) -> None:
    """The cache keeps no words, but says that there is nothing to read."""
    if isinstance(value, ReadPosition):
        value = replace(value, summary=replace(value.summary, words=""))
    _put(self, task, value)


def _whatever_was_met(record: Record, _: object) -> Success:
    """A success counts for every expectation."""
    return Success.CURRENT if record.done else Success.NONE


def _too_few_merged(*_: object) -> Iterator[Any]:
    """A pull request that is listed counts as merged."""
    yield from ()


def _as_read(self: Standing, record: Record, *success: Success | None) -> Progress:
    """A recorded success does not count."""
    return _of_record(self, replace(record, done=False), *success)


def _is_judged(self: TaskState) -> bool:
    """A task whose pull requests have to be merged does not count."""
    return self.traits.kind is Kind.JUDGED and self is not TaskState.TO_MERGE


BROKEN: list[tuple[object, str, object, str]] = [
    (TaskCache, "put", _put_without_words, "unmet for done"),
    (progress, "recorded_success", _whatever_was_met, "created for stopped"),
    (Standing, "of_record", _as_read, "after for created"),
    (judgement, "too_few_merged", _too_few_merged, "done for toMerge"),
    (TaskState, "is_judged", property(_is_judged), "created for after"),
]
"""Rules that leave something out, and what they lead to."""


@pytest.mark.parametrize(("where", "name", "broken", "found"), BROKEN)
def test_a_broken_rule_about_successes_is_found(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    where: object,
    name: str,
    broken: object,
    found: str,
) -> None:
    monkeypatch.setattr(where, name, broken)
    assert explore_successes(tmp_path, 3).violation == found
