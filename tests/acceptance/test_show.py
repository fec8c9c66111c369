"""`taskctl show KEY`: everything that is known about a task."""

from __future__ import annotations

import json

from reconciler.cli.main import run
from tests.support.live_tasks import LONGER, LiveTasks


def test_show_prints_everything_about_a_task(place: LiveTasks) -> None:
    place.apply({"good": "finishing", "more": "finishing too"}, approvalMode="manual")
    place.time.advance(LONGER)
    assert "  in its manifest: no differences\n" in place.run("show", "good")[1]
    place.write({"good": "finishing at last"}, approvalMode="auto")
    for name in ("good", "acme/good"):
        code, out, err = place.run("show", name)
        assert (code, err) == (0, "")
        assert "  differences:" in out
        assert "in its manifest:" not in out
        assert "approvalMode:" in out
        assert "  at the service: done" in out
        assert "pendingInputCount:" in out
    assert "not in any manifest that could be read" in place.run("show", "more")[1]


def test_json_contains_everything(place: LiveTasks) -> None:
    place.apply({"good": "finishing"}, approvalMode="manual")
    place.time.advance(LONGER)
    place.write({"good": "finishing"}, approvalMode="auto")
    (task,) = place.document("show", "good")["tasks"]
    assert task["status"] == "done"
    assert task["recorded"]["inputs"]["approvalMode"] == "manual"
    assert task["manifest"]["inputs"]["approvalMode"] == "auto"
    (change,) = task["diff"]
    assert (change["path"], change["before"], change["after"]) == ("approvalMode", "manual", "auto")
    assert task["recorded"]["number"] == 1
    assert task["outputs"]["source"] == "api"
    assert task["attempts"] == []


def test_an_invalid_manifest_hides_nothing_else(place: LiveTasks) -> None:
    place.apply({"good": "finishing"})
    (place.folder / "tasks" / "all.yaml").write_text("version: 1\ntasks: {good: {mesage: x}}\n")
    code, out, err = place.run("show", "good")
    assert code == 0
    assert "mesage" in err
    assert "at the service:" in out


def test_show_reads_one_manifest_of_those_that_depend_on_each_other(place: LiveTasks) -> None:
    place.write({"first": "finishing"})
    tasks = {"good": {"message": "failing"}, "then": {"message": "later", "after": ["first"]}}
    other = place.folder / "tasks" / "other.yaml"
    other.write_text(json.dumps({"version": 1, "orgName": "acme", "tasks": tasks}))
    assert place.run("apply", "--yes")[0] == 0
    code, out, err = place.run("show", "good")
    assert (code, err) == (0, "")
    assert "  in its manifest: no differences\n" in out


def test_an_argument_that_is_no_key_is_an_error(place: LiveTasks) -> None:
    place.apply({"good": "finishing"})
    code, out, err = place.run("show", "godo")
    assert (code, out) == (1, "")
    assert "good" in err
    assert place.run("show", "good", "--format", "markdown")[0] == 1


def test_show_prints_the_history_of_a_key(place: LiveTasks) -> None:
    place.apply({"good": "finishing"}, approvalMode="manual")
    old = place.document("show", "good")["tasks"][0]["taskId"]
    place.write({"good": "finishing"}, approvalMode="auto")
    assert place.run("apply", "--yes", "--update")[0] == 0
    assert place.run("apply", "--yes", "--replace", f"good={old}")[0] == 0
    (task,) = place.document("show", "good")["tasks"]
    assert [h["what"] for h in task["recorded"]["history"]] == ["created", "updated", "replaced"]
    assert [h["taskId"] for h in task["recorded"]["history"]] == [old, old, task["taskId"]]
    assert task["recorded"]["formerTaskIds"] == [old]
    shown = place.run("show", "good")[1]
    assert "  history:\n" in shown
    assert f"created   {old}\n" in shown
    assert "updated   approvalMode\n" in shown
    assert f"replaced  {task['taskId']} (was {old})\n" in shown


def test_the_pull_requests_of_replaced_tasks_stay_listed(place: LiveTasks) -> None:
    """Also the merged ones, and none of a task without any."""
    place.apply({"up": 'answering ```json {"n": 1} ```'})
    place.time.advance(LONGER)
    old = place.task_id("up")
    database = str(place.folder / "service.db")
    assert run(["serve", "--merge", "*", "--db", database, "-C", str(place.folder)]) == 0
    place.write({"up": "finishing"})
    for _ in range(2):
        assert place.run("apply", "--yes", "--replace", f"up={place.task_id('up')}")[0] == 0
        place.time.advance(LONGER)
    (task,) = place.document("show", "up")["tasks"]
    (replaced,) = task["replaced"]
    (request,) = replaced["pullRequests"]
    assert (replaced["taskId"], request["merged"]) == (old, True)
    _, out, _ = place.run("show", "up")
    (row,) = (row for row in out.splitlines() if "(merged)" in row)
    assert old in row
    assert f"#{request['number']}" in row
