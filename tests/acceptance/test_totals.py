"""`status --totals`: the tokens used, including tasks of removed keys."""

from __future__ import annotations

import json

import pytest

from reconciler.remote.client import Client
from tests.support.live_tasks import LiveTasks


def finished(place: LiveTasks, *keys: str) -> None:
    place.apply({key: f"finishing {key}" for key in keys})
    assert place.run("wait", "--timeout", "10s")[0] == 0


def test_removed_tasks_count_and_no_events_are_read(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished(place, "one", "two", "three")
    before = place.document("status", "--totals", "--by", "task")["totals"]
    used = {row["key"]: row["tokens"] for row in before["byTask"]}
    assert sorted(used) == ["one", "three", "two"]
    assert min(used.values()) > 0
    assert place.run("state", "rm", "two")[0] == 0
    path = place.folder / "tasks" / "all.yaml"
    manifest = json.loads(path.read_text())
    manifest |= {"removed": ["three"], "tasks": {"one": manifest["tasks"]["one"]}}
    path.write_text(json.dumps(manifest))
    assert place.document("apply", "--yes")["summary"]["forgotten"] == 1
    monkeypatch.setattr(Client, "event_pages", None)
    after = place.document("status", "--totals", "--by", "task")["totals"]
    assert sorted(after["byTask"], key=str) == sorted(before["byTask"], key=str)
    by_file = place.document("status", "--totals")["totals"]["byFile"]
    assert by_file == [{"file": "tasks/all.yaml", "tasks": 3, "tokens": before["tokens"]}]
    (three,) = (row["taskId"] for row in before["byTask"] if row["key"] == "three")
    for word in ("three", "t?ree", three, f"acme/{three}"):
        totals = place.document("status", "--totals", word, "--by", "team")["totals"]
        assert (totals["tasks"], totals["tokens"]) == (1, used["three"])
        assert len(totals["byTeam"]) == 1
    assert place.run("status", "--totals", "neither")[0] == 1
    assert place.document("status", "--totals", "--since", "2100-01-01")["totals"]["tasks"] == 0
    assert place.document("status", "--totals", "--since", "1h")["totals"]["tasks"] == 3
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "pul-somebody-else")  # sees no tasks
    theirs = place.document("status", "--totals", "three")["totals"]
    assert (theirs["tasks"], theirs["tokens"], theirs["unknown"]) == (1, used["three"], 0)


def test_many_tasks_are_read_from_the_list(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished(place, *(f"k{number}" for number in range(12)))
    one_by_one: list[str] = []
    get_task = Client.get_task

    def counted(self: Client, org_name: str, task_id: str) -> object:
        one_by_one.append(task_id)
        return get_task(self, org_name, task_id)

    monkeypatch.setattr(Client, "get_task", counted)
    totals = place.document("status", "--totals")["totals"]
    assert (totals["tasks"], totals["unknown"], one_by_one) == (12, 0, [])
    assert place.document("status", "--totals", "k?")["totals"]["tasks"] == 10
    assert len(one_by_one) == 10


def test_former_tasks_of_a_key_are_counted(place: LiveTasks) -> None:
    finished(place, "one")
    before = place.document("status", "--totals")["totals"]
    assert place.run("apply", "--yes", "--replace", f"one={place.task_id('one')}")[0] == 0
    assert place.run("wait", "--timeout", "10s")[0] == 0
    now = place.document("status")["tasks"][0]["outputs"]["tokensUsed"]
    after = place.document("status", "--totals")["totals"]
    assert (before["tasks"], after["tasks"], after["unknown"]) == (1, 2, 0)
    assert after["tokens"] == before["tokens"] + now
    assert sum(one["tokens"] for one in after["byFile"]) == after["tokens"]
    assert sum(one["tokens"] for one in after["byDay"]) == after["tokens"]


def test_totals_of_tasks_with_a_status(place: LiveTasks) -> None:
    place.apply({"good": "finishing", "bad": "failing"})
    assert place.run("wait", "--timeout", "10s")[0] == 1
    totals = place.document("status", "--totals", "--status", "failed", "--by", "task")["totals"]
    assert [row["key"] for row in totals["byTask"]] == ["bad"]


def test_totals_as_csv(place: LiveTasks) -> None:
    finished(place, "one", "two")
    code, out, err = place.run("status", "--totals", "--format", "csv")
    assert (code, err) == (0, "")
    head, *rows = out.splitlines()
    assert head == "orgName,key,taskId,file,team,day,tokens"
    assert sorted(row.split(",")[1] for row in rows) == ["one", "two"]
    out = place.run("status", "--totals", "--format", "csv", "--by", "file", "-q")[1]
    assert [row.rsplit(",", 1)[0] for row in out.splitlines()] == [
        "file,tasks",
        "tasks/all.yaml,2",
    ]
    for words in (["--format", "csv"], ["--since", "1h"], ["--by", "file"]):
        code, out, err = place.run("status", *words)
        assert (code, out) == (1, "")
        assert "require --totals" in err
    for words in (["--exit-code"], ["--since", "yesterday"], ["--since", "2026-13-01"]):
        assert place.run("status", "--totals", "--format", "csv", *words)[:2] == (1, "")
