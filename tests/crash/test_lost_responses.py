"""Lost responses to creates: never two tasks for a key, and none lost.

On a real server with injected faults. The state is a file, and for the most significant cases a
store in memory; `make soak` also uses git and S3.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from tests.support.fault_server import Fault, Rule
from tests.support.fault_world import References
from tests.support.in_process import TEXTS, InProcess, in_process, limit_creates
from tests.support.sandbox import TOKEN, as_tasks
from tests.support.state_engines import HERE, Served, serving

HTML = {"Content-Type": "text/html"}
FILE = "file"
ENGINES = [name for name in ("memory", "git", "s3") if name in HERE]


@pytest.fixture(scope="module")
def server_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Served]]:
    """The server of an engine, started on first use."""
    with ExitStack() as stack:
        yield cache(lambda name: stack.enter_context(serving(name, tmp_path_factory.mktemp(name))))


@pytest.fixture(params=[FILE, *(pytest.param(name, marks=pytest.mark.soak) for name in ENGINES)])
def here(
    request: pytest.FixtureRequest,
    server_of: Callable[[str], Served],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[InProcess]:
    """The parameter names the engine of the state."""
    served = None if request.param == FILE else server_of(request.param)
    with in_process(tmp_path, monkeypatch, capsys, served) as here:
        yield here


def on_create(*faults: Fault) -> Sequence[Rule]:
    """Faults of the second, third, ... create; the first succeeds."""
    return [Rule("create", fault, nth=(n,)) for n, fault in enumerate(faults, 2)]


def status(code: int, *, committed: bool = False, **headers: str) -> Fault:
    return Fault("status", status=code, committed=committed, headers=headers)


UNKNOWN = {
    "reset before the commit": Fault("reset"),
    "reset after the commit": Fault("reset", committed=True),
    "closed before the commit": Fault("close"),
    "closed after the commit": Fault("close", committed=True),
    "cut answer": Fault("cut"),
    "garbage": Fault("garbage"),
    "no id": Fault("empty"),
    "a proxy's page, nothing done": Fault("html", status=502, headers=HTML),
    "a proxy's page, done": Fault("html", status=502, headers=HTML, committed=True),
    "a proxy's page that says 200": Fault("html", status=200, headers=HTML, committed=True),
    "too late": Fault(after=1.0),
    "never": Fault("close", before=1.0),
    **{
        f"{code}, {'done' if committed else 'nothing done'}": status(code, committed=committed)
        for code in (408, 409, 425, 429, 499, 500, 502, 503, 504)
        for committed in (False, True)
    },
    **{
        f"redirect {code}, {'done' if committed else 'nothing done'}": Fault(
            "redirect", status=code, headers={"Location": "/elsewhere"}, committed=committed
        )
        for code in (301, 302, 303, 307, 308)
        for committed in (False, True)
    },
}


TELLING = ("reset after the commit", "cut answer", "429, done", "503, done")
CASES = [
    *((FILE, case) for case in UNKNOWN),
    *(("memory", case) for case in TELLING),
    *(
        pytest.param(name, case, marks=pytest.mark.soak)
        for name in ENGINES
        for case in UNKNOWN
        if name != "memory" or case not in TELLING
    ),
]


@pytest.mark.parametrize(("here", "case"), CASES, indirect=["here"])
def test_a_response_without_a_result_creates_no_second_task(
    here: InProcess, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    fault = UNKNOWN[case]
    here.server.set_rules(*on_create(fault))
    if fault.before or fault.after:
        limit_creates(monkeypatch, 0.5)
    ended = here.run("apply")
    assert ended.code == 0, ended.stdout
    assert set(ended.results().values()) == {"created"}
    here.assert_settled()


@pytest.mark.parametrize("asked", [{}, {"Retry-After": "1"}])
def test_rate_limited_creates_are_sent_again(here: InProcess, asked: dict[str, str]) -> None:
    fault = Fault("status", status=429, headers=asked)
    here.server.set_rules(*on_create(fault, fault))
    assert here.run("apply").code == 0
    assert len(here.server.posts) == len(TEXTS) + 2
    here.assert_settled()


def test_a_refusal_shows_the_message_of_the_service_and_the_key(here: InProcess) -> None:
    fault = Fault("status", status=400, text="stack entity: no such stack")
    here.server.set_rules(Rule("create", fault, contains="do 2"))
    ended = here.run("apply")
    assert ended.code == 1
    (failed,) = [t for t in ended.document["tasks"] if t["result"] == "failed"]
    assert "no such stack" in failed["error"]
    assert failed["key"] == "k2"
    assert sorted(set(ended.results().values())) == ["created", "failed"]
    assert not here.sandbox.state()["attempts"]
    here.server.set_rules()
    assert here.run("apply").results() == {"k2": "created"}
    here.assert_settled()


def test_all_first_responses_are_lost(here: InProcess) -> None:
    """Every first create is lost, half of them committed."""
    lost = [Rule("create", Fault("reset", committed=n % 2 == 0), nth=(n,)) for n in range(1, 5)]
    here.server.set_rules(*lost)
    ended = here.run("apply")
    assert ended.code == 0
    here.assert_settled()


def test_three_creates_without_a_response_are_unresolved(here: InProcess) -> None:
    here.server.set_rules(Rule("create", Fault("reset"), contains="do 2"))
    ended = here.run("apply")
    assert ended.code == 1
    assert ended.results()["k2"] == "unresolved"
    assert sum("do 2" in post for post in here.server.posts) == 3
    here.server.set_rules()
    assert here.run("apply").code == 0
    here.assert_settled()


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("redact", [False, True])
@pytest.mark.parametrize("references", ["kept", "stripped", "cut", "redacted"])
def test_attempts_are_recognized_or_asked_about_with_any_treatment_of_references_and_texts(
    here: InProcess, references: References, *, redact: bool, committed: bool
) -> None:
    """Without its last line, a task is recorded once a person has answered."""
    texts = {f"k{n}": f"connect with password=s{n}cret and do {n}" for n in range(3)}
    here.sandbox.write(as_tasks(texts))
    fault = Fault("reset", committed=committed)
    here.server.set_rules(*on_create(fault, fault))
    here.server.habits.references, here.server.habits.redact = references, redact
    ended = here.run("apply")
    if committed and references != "kept":
        assert sorted(ended.results().values()) == ["created", "unresolved", "unresolved"]
        made = here.server.tasks_by_work()
        assert len(made) == len(here.server.world.tasks) == len(texts)
        for key, result in ended.results().items():
            if result == "unresolved":
                assert here.run_state("assign", key, made[texts[key]][0]).code == 0
        ended = here.run("apply")
    assert ended.code == 0, ended.stdout
    here.assert_settled(texts)


@pytest.mark.parametrize("redact", [False, True])
def test_equal_texts_without_references_are_unresolved_and_never_duplicated(
    here: InProcess, *, redact: bool
) -> None:
    """With `redact` they are equal only after the credentials are removed."""
    texts = [f"use password=s{n if redact else ''}cret" for n in range(2)]
    here.sandbox.write(as_tasks(dict(zip("ab", texts, strict=True)), named=["b"]))
    here.server.set_rules(Rule("create", Fault("reset", committed=True)))
    habits = here.server.habits
    habits.references, habits.redact, habits.clock_offset = "stripped", redact, 5.0
    for _ in range(2):
        ended = here.run("apply")
        assert ended.code == 1
        assert ended.results() == {"a": "unresolved", "b": "unresolved"}
        assert len(here.server.world.tasks) == 2
    here.server.set_rules()
    made = here.server.tasks_by_work()
    ids = [task.id for task in here.server.world.tasks]
    for key, text in zip("ab", texts, strict=True):
        task_id = made[text][0] if redact else ids.pop()
        assert here.run_state("assign", key, task_id).code == 0
    assert here.run("apply").code == 0
    assert len(here.server.world.tasks) == 2


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("offset", [-60.0, 60.0])
def test_clocks_a_minute_apart(here: InProcess, offset: float, *, committed: bool) -> None:
    here.server.set_rules(*on_create(Fault("reset", committed=committed)))
    here.server.habits.clock_offset = offset
    assert here.run("apply").code == 0
    here.assert_settled()


@pytest.mark.parametrize("committed", [True, False])
def test_a_list_that_lags(here: InProcess, *, committed: bool) -> None:
    here.server.set_rules(*on_create(Fault("reset", committed=committed)))
    here.server.habits.list_lag = 3.0
    assert here.run("apply").code == 0
    here.assert_settled()


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("endpoint", ["list", "events"])
def test_a_temporarily_failing_lookup_creates_no_second_task(
    here: InProcess, endpoint: str, *, committed: bool
) -> None:
    failing = Rule(endpoint, status(503), nth=tuple(range(2, 9)))
    here.server.set_rules(*on_create(Fault("reset", committed=committed)), failing)
    ended = here.run("apply")
    if ended.code:
        assert "unresolved" in ended.results().values()
        assert here.run("apply").code == 0
    here.assert_settled()


def test_a_permanently_failing_lookup_is_unresolved_and_resolved_later(here: InProcess) -> None:
    failing = Rule("events", status(500))
    here.server.set_rules(*on_create(Fault("reset", committed=True)), failing)
    ended = here.run("apply")
    assert ended.code == 1
    assert sorted(ended.results().values()) == ["created", "created", "created", "unresolved"]
    here.server.set_rules()
    assert here.run("apply").code == 0
    here.assert_settled()


def test_an_attempt_of_another_identity_is_unresolved(
    here: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = [Rule("create", Fault("reset", committed=True), contains="do 2")]
    here.server.set_rules(*rules, Rule("events", status(500)))
    assert here.run("apply").results()["k2"] == "unresolved"
    here.server.set_rules()
    here.server.habits.tokens["other"] = "other"
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "other")
    ended = here.run("apply")
    assert ended.code == 1
    assert ended.results() == {"k2": "unresolved"}
    assert len(here.server.posts) == len(TEXTS)
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", TOKEN)
    assert here.run("apply").results() == {"k2": "adopted"}
    here.assert_settled()


@pytest.mark.parametrize("here", [FILE], indirect=True)
def test_killed_while_the_service_is_still_committing(here: InProcess) -> None:
    """The client is killed, the next apply finds no task, and then the server commits."""
    server = here.server
    server.set_rules(Rule("create", Fault(before=600), contains="do 1"))
    process = here.sandbox.start("apply")
    process.until(lambda: any("do 1" in body for body in server.posts))
    process.kill()
    process.communicate()
    made = sum(map(len, server.tasks_by_work().values()))
    server.release_at_list(2, made + 1)
    ended = here.run("apply")
    assert ended.code == 0, ended.stdout
    server.wait_for_tasks(made + 1)
    here.sandbox.assert_exactly_one_each(TEXTS)


@pytest.mark.parametrize("here", [FILE], indirect=True)
def test_a_lost_state_is_continued(here: InProcess) -> None:
    """Without state and journal, every task at the service is recorded once."""
    assert here.run("apply").code == 0
    here.assert_settled()
    lost = here.sandbox.state()["provenance"]["ids"][0]
    (here.sandbox.folder / "taskctl.state.json").unlink()
    ended = here.run("apply")
    assert set(ended.results().values()) == {"unresolved"}
    assert here.run_state("init", "--continue", lost, "-y").code == 0
    here.assert_settled()


def test_the_next_apply_finishes_a_failed_patch(here: InProcess) -> None:
    here.server.set_rules(Rule("patch", status(403)))
    ended = here.run("apply")
    assert ended.code == 1
    assert ended.results()["k1"] == "created"
    assert "name" in json.dumps(ended.document["diagnostics"])
    here.server.set_rules()
    assert here.run("plan").actions()["k1"] == "changed"
    assert here.run("apply").code == 0
    named = [t.shown for t in here.server.world.tasks if t.shown["name"] == "A name"]
    assert [t["isShared"] for t in named] == [True]
    here.assert_settled()
