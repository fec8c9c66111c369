"""Entries with `every`, through the command line, with simulated months."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import run
from reconciler.system.clock import SystemClock
from tests.support.fault_server import FaultServer

SETTLE = ("--settle-time", "150s")


@dataclass
class Months:
    """A repository whose machine's clock is `now`; `backend` is where it applies."""

    folder: Path
    capture: pytest.CaptureFixture[str]
    now: datetime = datetime(2026, 1, 15, 12, tzinfo=UTC)
    backend: str = "local"
    entry: dict[str, Any] = field(default_factory=dict)

    def write(self, name: str = "review", **entry: Any) -> None:
        settings = {"every": "month", "message": "finishing the review", **entry}
        self.entry = {name: value for name, value in settings.items() if value is not None}
        (self.folder / "tasks").mkdir(exist_ok=True)
        document = {"version": 1, "orgName": "acme", "tasks": {name: self.entry}}
        (self.folder / "tasks" / "all.yaml").write_text(json.dumps(document))

    def run(self, *words: str) -> tuple[int, str, str]:
        self.capture.readouterr()
        where = [] if words[0] == "serve" else ["--backend", self.backend]
        where += ["-C", str(self.folder)]
        code = run([*words, *where])
        said = self.capture.readouterr()
        return code, said.out, said.err

    def document(self, *words: str) -> dict[str, Any]:
        _, out, err = self.run(*words, "--format", "json")
        assert out, err
        read: dict[str, Any] = json.loads(out)
        return read

    def apply(self, *more: str) -> dict[str, str]:
        code, out, err = self.run("apply", "--yes", *more, *SETTLE, "--format", "json")
        assert code == 0, out + err
        return {task["key"]: task["result"] for task in json.loads(out)["tasks"]}

    def plan(self, *more: str) -> dict[str, str]:
        tasks = self.document("plan", *more, *SETTLE)["tasks"]
        return {task["key"]: f"{task['action']}/{task['reason']}" for task in tasks}

    def keys(self) -> list[str]:
        return sorted(task["key"] for task in self.document("status")["tasks"])


@pytest.fixture
def months(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Months:
    made = Months(tmp_path, capsys)
    monkeypatch.setattr(SystemClock, "now", lambda _: made.now)
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "pul-" + "0" * 40)
    return made


def a_year() -> Iterator[datetime]:
    for month in range(1, 13):
        for day in (1, 9, 28):
            yield datetime(2026, month, day, 7, tzinfo=UTC)


def test_a_year_of_monthly_runs_with_an_unchanging_prompt(months: Months) -> None:
    """Three triggers a month: twelve tasks, none unresolved, orphaned or duplicated."""
    months.write()
    for months.now in a_year():
        month = f"{months.now:%Y-%m}"
        assert months.apply() == ({f"review@{month}": "created"} if months.now.day == 1 else {})
        assert months.plan() == {f"review@{month}": "unchanged/same"}
    assert months.keys() == [f"review@2026-{month:02}" for month in range(1, 13)]
    texts = [task["outputs"]["id"] for task in months.document("status")["tasks"]]
    assert len(set(texts)) == 12


def test_a_lost_state_is_continued_with_all_its_months(months: Months) -> None:
    months.write()
    for months.now in list(a_year())[:9]:  # until the end of March
        months.apply()
    (path,) = (months.folder / ".taskctl").glob("local.state.json")
    (lost,) = json.loads(path.read_text())["provenance"]["ids"]
    path.unlink()
    assert months.run("state", "init", "--continue", lost, "-y")[0] == 0
    assert months.plan() == {"review@2026-03": "unchanged/same"}
    assert months.keys() == [f"review@2026-{month:02}" for month in range(1, 4)]
    months.now = datetime(2026, 4, 2, tzinfo=UTC)
    assert months.apply() == {"review@2026-04": "created"}


def test_an_imported_task_belongs_to_its_month(months: Months) -> None:
    months.write(overlap="wait")
    months.apply()
    (path,) = (months.folder / ".taskctl").glob("local.state.json")
    (record,) = json.loads(path.read_text())["tasks"].values()
    path.unlink()
    assert months.run("state", "assign", "review@2026-01", record["taskId"])[0] == 0
    months.now = datetime(2026, 2, 2, tzinfo=UTC)
    assert months.plan() == {"review@2026-02": "create/new"}


def test_a_missed_month_is_skipped(months: Months) -> None:
    months.write(message="finishing {{ period.name }}")
    months.apply()
    months.now = datetime(2026, 2, 2, tzinfo=UTC)
    (task,) = months.document("plan")["tasks"]
    assert "note" not in task
    months.now = datetime(2026, 5, 2, tzinfo=UTC)
    (task,) = months.document("plan")["tasks"]
    assert "2026-01" in task["note"]
    assert "2026-01" in months.run("plan")[1]
    assert months.apply() == {"review@2026-05": "created"}
    assert months.plan() == {"review@2026-05": "unchanged/same"}


def test_periods_before_the_first_and_those_of_removed_tasks_are_not_skipped(
    months: Months,
) -> None:
    months.write()
    months.apply()
    months.write(**{"from": "2026-03-01"})
    months.now = datetime(2026, 3, 2, tzinfo=UTC)
    (task,) = months.document("plan")["tasks"]
    assert "note" not in task
    months.apply()
    assert months.run("state", "rm", "review@2026-03")[0] == 0
    months.now = datetime(2026, 4, 2, tzinfo=UTC)
    (task,) = months.document("plan")["tasks"]
    assert "note" not in task


def test_from_and_until_bound_the_first_days(months: Months) -> None:
    months.write(**{"from": "2026-02-01", "until": "2026-03-01"})
    assert months.plan() == {}
    for months.now in a_year():
        months.apply()
    assert months.keys() == ["review@2026-02", "review@2026-03"]


def test_a_task_of_an_earlier_period_holds_the_next_one(months: Months) -> None:
    months.write(overlap="wait")
    months.now = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
    months.apply()
    months.now = datetime(2026, 2, 1, tzinfo=UTC)
    assert months.apply() == {}
    (held,) = months.document("plan")["tasks"]
    assert (held["action"], held["reason"]) == ("held", "overlap")
    assert held["waitsFor"] == ["review@2026-01"]
    months.now += timedelta(minutes=5)
    assert months.apply() == {"review@2026-02": "created"}


def to_merge(months: Months, **settings: Any) -> None:
    """The tasks of this entry have a pull request that has to be merged."""
    expect = {"pullRequests": 1, "merged": True}
    months.write(message="Do it: ```json {} ```", expect=expect, **settings)


def test_a_merge_of_an_earlier_period_holds_no_task_because_of_overlap(months: Months) -> None:
    to_merge(months, overlap="wait")
    months.apply()
    months.now = datetime(2026, 2, 1, tzinfo=UTC)
    assert months.run("status", "--exit-code")[0] == 3
    assert months.apply() == {"review@2026-02": "created"}


def test_a_merge_of_an_earlier_period_takes_a_slot(months: Months) -> None:
    to_merge(months, forEach={"row": ["a"]}, rollout={"atOnce": 1})
    months.apply()
    months.now = datetime(2026, 2, 1, tzinfo=UTC)
    (held,) = months.document("plan", *SETTLE)["tasks"]
    assert (held["reason"], held["waitsFor"]) == ("atOnce", ["review@a@2026-01"])
    assert months.run("serve", "--merge", "*")[0] == 0
    assert months.apply() == {"review@a@2026-02": "created"}


def test_a_wait_creates_the_next_task_once_the_earlier_one_is_to_merge(
    months: Months, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_merge(months, overlap="wait")
    months.now = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
    months.apply()
    months.now = datetime(2026, 2, 1, tzinfo=UTC)

    def now(_: SystemClock) -> datetime:
        months.now += timedelta(milliseconds=20)
        return months.now

    monkeypatch.setattr(SystemClock, "now", now)
    code, out, err = months.run("apply", "--yes", "--wait", "--interval", "100ms", *SETTLE)
    assert code == 3, out + err
    assert months.keys() == ["review@2026-01", "review@2026-02"]


def test_a_prompt_edited_within_its_month_is_changed_and_the_next_month_has_it(
    months: Months,
) -> None:
    months.write()
    months.apply()
    months.write(message="finishing with more care")
    assert months.plan() == {"review@2026-01": "changed/changed"}
    months.now = datetime(2026, 2, 1, tzinfo=UTC)
    assert months.apply() == {"review@2026-02": "created"}
    assert months.plan() == {"review@2026-02": "unchanged/same"}


def test_a_plan_of_another_period_is_stale_and_names_the_period(months: Months) -> None:
    months.write()
    plan = str(months.folder / "plan.taskctl")
    assert months.run("plan", "-o", plan)[0] == 0
    digest = months.document("plan")["digest"]
    months.now = datetime(2026, 2, 1, tzinfo=UTC)
    code, _, err = months.run("apply", plan, "--yes")
    assert code == 1
    assert "would also contain acme/review@2026-02;" in err
    assert "would no longer contain acme/review@2026-01;" in err
    code, _, err = months.run("apply", "--yes", "--expect-plan", digest)
    assert (code, "review 2026-02" in err) == (1, True)
    assert months.keys() == []


def test_a_plan_for_a_later_date_is_shown_and_not_saved(months: Months) -> None:
    months.write()
    assert months.plan("--at", "2026-07-01") == {"review@2026-07": "create/new"}
    assert months.run("plan", "--at", "2026-07-01", "-o", "p.taskctl")[0] == 1
    months.write(timezone="America/New_York")
    assert months.plan("--at", "2026-07-01T03:59:59Z") == {"review@2026-06": "create/new"}
    assert months.plan("--at", "2026-07-01T04:00:00Z") == {"review@2026-07": "create/new"}


# Renamed entries


def in_months(months: Months, *numbers: int) -> Iterator[int]:
    for number in numbers:
        months.now = datetime(2026, number, 2, tzinfo=UTC)
        yield number


def test_the_command_for_a_renamed_entry_keeps_the_period_of_each_task(months: Months) -> None:
    """All periods have the same prompt."""
    months.write("job")
    for _ in in_months(months, 1, 2, 3):
        months.apply()
    made = {t["key"]: t["outputs"]["id"] for t in months.document("status")["tasks"]}
    months.write("task")
    (task,) = (t for t in months.document("plan")["tasks"] if t["action"] == "unresolved")
    ((command,),) = (hint["commands"] for hint in task["hints"])
    words = shlex.split(command.partition(" --backend ")[0])
    assert months.run(*words[1:], "-y")[0] == 0
    assert months.plan() == {"task@2026-03": "unchanged/same"}
    moved = {t["key"]: t["outputs"]["id"] for t in months.document("status")["tasks"]}
    assert moved == {key.replace("job", "task"): task_id for key, task_id in made.items()}


@pytest.mark.parametrize("moved_from", ["job@{{ period.name }}", None])
def test_the_tasks_of_earlier_periods_are_not_renamed(
    months: Months, moved_from: str | None
) -> None:
    """The entry is renamed before it creates the task of April."""
    months.write("job")
    for _ in in_months(months, 1, 2, 3):
        months.apply()
    months.write("task", movedFrom=moved_from)
    for number in in_months(months, 4, 5):
        assert months.apply() == {f"task@2026-0{number}": "created"}


@pytest.mark.parametrize("others", [(), ("unrelated",)])
def test_moved_from_of_a_recurring_entry_may_stay(months: Months, others: tuple[str, ...]) -> None:
    """Also if other keys are orphaned."""
    for name in others:
        months.write(name, every=None, message="something else")
        months.apply()
    months.write("job")
    for _ in in_months(months, 1, 2, 3):
        months.apply()
    months.write("task", movedFrom="job@{{ period.name }}")
    assert months.apply() == {"task@2026-03": "moved"}
    for number in in_months(months, 4, 5):
        assert months.apply() == {f"task@2026-0{number}": "created"}


# Two clocks

END = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("machine", "service", "month", "warns"),
    [(-60, 60, "01", True), (60, -60, "01", True), (-60, -1, "01", False), (1, 60, "02", False)],
)
def test_the_earlier_of_two_clocks_decides_the_period(
    months: Months, machine: int, service: int, month: str, *, warns: bool
) -> None:
    months.write()
    months.now = END + timedelta(seconds=machine)
    with FaultServer(clock=(END + timedelta(seconds=service)).timestamp) as server:
        months.backend = server.url
        document = months.document("plan")
        assert [task["key"] for task in document["tasks"]] == [f"review@2026-{month}"]
        assert [d["code"] for d in document["diagnostics"]] == (["TC874"] if warns else [])
        assert months.apply() == {f"review@2026-{month}": "created"}


def test_clocks_that_are_days_apart_create_nothing(months: Months) -> None:
    months.write()
    with FaultServer(clock=(months.now + timedelta(hours=25)).timestamp) as server:
        months.backend = server.url
        code, out, _ = months.run("apply", "--yes", "--format", "json")
        assert code == 1
        assert [d["code"] for d in json.loads(out)["diagnostics"]] == ["TC874"]
        assert server.tasks_by_work() == {}


def test_a_month_that_ends_while_apply_waits_gets_no_further_task(
    months: Months, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {"row": ["a", "b"]}
    months.write(forEach=rows, rollout={"pilot": 1}, message="finishing {{ row }}")
    months.now = END - timedelta(seconds=1)
    real = SystemClock.now

    def passing(self: SystemClock) -> datetime:
        months.now += timedelta(milliseconds=20)
        return real(self)

    monkeypatch.setattr(SystemClock, "now", passing)
    words = ("--yes", "--wait", "--interval", "100ms")
    code, _, err = months.run("apply", *words)
    assert code == 1
    assert "the period is over: 2026-01" in err
    assert months.keys() == ["review@a@2026-01"]
