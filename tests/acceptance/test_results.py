"""`taskctl results`: what came out of tasks, on the embedded service."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft7Validator

from reconciler.cli.main import run
from tests.support.live_tasks import LiveTasks

BLOCK = '```json {"upgraded": ["aws"], "skipped": []} ```'
LIVES = {
    "up10": f"answering with {BLOCK}",
    "up2": "answering without data",
    "bad": "failing always",
}


@pytest.fixture
def ended(place: LiveTasks) -> LiveTasks:
    place.apply(LIVES)
    place.finish(up10="done", up2="done", bad="failed")
    return place


def test_the_document_satisfies_its_schema(ended: LiveTasks) -> None:
    ended.capture.readouterr()
    assert run(["schema", "results"]) == 0
    schema = json.loads(ended.capture.readouterr().out)
    Draft7Validator.check_schema(schema)
    Draft7Validator(schema).validate(ended.document("results"))


def results(place: LiveTasks, *more: str) -> dict[str, Any]:
    return {task["key"]: task for task in place.document("results", *more)["tasks"]}


def test_the_table_shows_pull_requests_and_answers_in_manifest_order(ended: LiveTasks) -> None:
    ended.write({**LIVES, "later": "finishing"})
    code, out, err = ended.run("results", "--exit-code")
    assert (code, err) == (1, "")
    head, *rows = out.splitlines()
    assert head.split() == ["KEY", "STATUS", "PULL", "REQUESTS", "ANSWER"]
    assert [row.split()[0] for row in rows if row[:1].isalpha()] == ["up10", "up2", "bad", "To"]
    retry = rows[-4:-2]
    assert "--retry acme/bad" in retry[1]
    assert rows[0].split()[1] == "done"
    assert "acme/network#" in rows[0]
    assert rows[0].endswith("All checks pass.")
    assert "simulated failure" in out
    assert rows[-1] == "1 failed, 2 done. 1 not created yet."
    assert '"upgraded"' not in out
    said = [row for row in out.splitlines()[:-1] if row not in retry]
    assert ended.run("wait")[1].splitlines() == [*said, "1 failed, 2 done."]
    assert '  {"upgraded": ["aws"], "skipped": []}' in ended.run("results", "-v")[1]


def test_tasks_in_an_organization_of_the_command_line_are_created(place: LiveTasks) -> None:
    """Only apply was told which organization the tasks are in."""
    tasks = {key: {"message": f"finishing {key}"} for key in ("up", "apart")}
    (place.folder / "tasks").mkdir()
    manifest = {"version": 1, "tasks": {**tasks, "later": {"message": "finishing later"}}}
    (place.folder / "tasks" / "all.yaml").write_text(json.dumps(manifest))
    assert (
        place.run("apply", "--yes", "--org", "zeta", "--target", "up", "--target", "apart")[0] == 0
    )
    place.finish(up="done", apart="done")
    found = place.document("results")
    assert [task["key"] for task in found["tasks"]] == ["up", "apart"]
    assert found["notCreated"] == 1
    rows = place.run("wait")[1].splitlines()
    assert [row.split()[0] for row in rows[1:3]] == ["up", "apart"]


def test_what_is_not_created_is_counted_only_if_it_is_known(ended: LiveTasks) -> None:
    assert ended.document("results")["notCreated"] == 0
    assert ended.document("results", "up2")["notCreated"] is None
    (ended.folder / "tasks" / "other.yaml").write_text("version: 1\ntasks: {later: 5}\n")
    assert ended.document("results")["notCreated"] is None
    code, out, err = ended.run("results")
    assert (code, "not created yet" in out) == (0, False)
    assert "taskctl validate" in err
    (ended.folder / "tasks" / "other.yaml").unlink()
    (ended.folder / "taskctl.toml").write_text('policy = "missing.yaml"')
    assert ended.document("results")["notCreated"] == 0
    assert ended.run("wait")[0] == 1
    (ended.folder / "tasks" / "all.yaml").unlink()
    assert ended.document("results")["notCreated"] == 0


def test_json_has_the_data_and_pulumis_shape_of_pull_requests(ended: LiveTasks) -> None:
    found = results(ended)
    assert found["up10"]["data"] == {"upgraded": ["aws"], "skipped": []}
    (request,) = found["up10"]["pullRequests"]
    assert request["merged"] is False
    assert request["repo"]["org"] == "acme"
    assert request["url"] == f"https://github.com/acme/network/pull/{request['number']}"
    assert "data" not in found["up2"]
    assert found["up2"]["answer"].startswith("All checks pass.")
    assert (found["bad"]["answer"], "simulated" in found["bad"]["error"]) == ("", True)


def test_csv_has_a_row_per_task(ended: LiveTasks) -> None:
    code, out, _ = ended.run("results", "--format", "csv", "--report", "markdown=results.md")
    assert code == 0
    assert "| done | `up10` |" in (ended.folder / "results.md").read_text().replace("`=` ", "")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["key"] for row in rows] == ["up10", "up2", "bad"]
    assert {row["orgName"] for row in rows} == {"acme"}
    assert rows[0]["answer"].startswith("All checks pass.")
    assert "```json" in rows[0]["answer"]


def csv_rows(place: LiveTasks, *more: str) -> list[dict[str, str]]:
    code, out, err = place.run("results", "--format", "csv", *more)
    assert code == 0, err
    return list(csv.DictReader(io.StringIO(out)))


def test_csv_has_whole_answers_data_and_addresses(place: LiveTasks) -> None:
    data = {"count": -3, "note": "=1+1", "left": [1]}
    answer = f"answering\n=1+1\n```json\n{json.dumps(data)}\n```"
    expect = {"data": {"type": "object"}}
    tasks = {
        "up": {"message": answer, "expect": expect},
        "none": {"message": "answering without JSON", "expect": expect},
    }
    path = place.folder / "tasks" / "all.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"version": 1, "orgName": "acme", "tasks": tasks}))
    assert place.run("apply", "--yes")[0] == 0
    place.finish(up="done", none="unmet")
    rows = {row["key"]: row for row in csv_rows(place)}
    assert json.loads(rows["up"]["data"]) == data
    assert results(place)["up"]["answer"].replace("\n=", "\n'=") == rows["up"]["answer"]
    assert rows["up"]["pullRequests"].startswith("https://github.com/acme/")
    assert int(rows["up"]["tokens"]) > 0
    assert rows["up"]["createdAt"].endswith("Z")
    assert {row["file"] for row in rows.values()} == {"tasks/all.yaml"}
    assert rows["none"]["unmet"].endswith("no JSON block in the last message")
    assert (rows["up"]["unmet"], rows["none"]["data"]) == ("", "")


def test_csv_has_the_tokens_of_replaced_and_removed_tasks(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.apply({key: f"finishing {key}" for key in ("one", "two", "three")})
    place.finish(one="done", two="done", three="done")
    ids = {key: place.task_id(key) for key in ("one", "two", "three")}
    before = {row["taskId"]: row["tokens"] for row in csv_rows(place)}
    assert all(map(int, before.values()))
    assert place.run("apply", "--yes", "--replace", f"one={ids['one']}")[0] == 0
    place.finish(one="done", two="done", three="done")
    assert place.run("state", "rm", "two")[0] == 0
    path = place.folder / "tasks" / "all.yaml"
    manifest = json.loads(path.read_text())
    manifest |= {"removed": ["three"], "tasks": {"one": manifest["tasks"]["one"]}}
    path.write_text(json.dumps(manifest))
    assert place.document("apply", "--yes")["summary"]["forgotten"] == 1
    rows = csv_rows(place)
    assert [(row["key"], row["status"]) for row in rows] == [
        ("one", "done"),
        ("one", "replaced"),
        ("three", "removed"),
        ("two", "removed"),
    ]
    assert {row["taskId"]: row["tokens"] for row in rows if row["taskId"] in before} == before
    assert [row["key"] for row in place.document("results")["tasks"]] == ["one"]
    for words in (["three"], ["t*ree"], [ids["three"]]):
        (row,) = csv_rows(place, *words)
        assert (row["taskId"], row["tokens"]) == (ids["three"], before[ids["three"]])
    assert place.run("results", "--format", "csv", "neither")[0] == 1
    assert place.run("results", "three")[0] == 1
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "pul-somebody-else")  # sees no tasks
    (theirs,) = csv_rows(place, "three")
    assert theirs["tokens"] == before[ids["three"]]


def test_a_pull_request_that_the_prompt_attached_is_no_result(place: LiveTasks) -> None:
    repo = {"type": "repository", "org": "acme", "name": "net", "forge": "github"}
    entity = {"type": "pull_request", "number": 7, "merged": False, "repo": repo}
    tasks = {"up": {"message": {"content": "finishing", "entity_diff": {"add": [entity]}}}}
    path = place.folder / "tasks" / "all.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"version": 1, "orgName": "acme", "tasks": tasks}))
    assert place.run("apply", "--yes")[0] == 0
    place.finish(up="done")
    assert place.document("status")["tasks"][0]["outputs"]["entities"]
    assert results(place)["up"]["pullRequests"] == []


def test_an_answer_is_gone_while_the_task_works_again(place: LiveTasks) -> None:
    place.time.stop()
    place.apply({"up": f"answering {BLOCK}"})
    place.time.advance(1)
    assert results(place)["up"]["answer"]
    assert place.run("say", "up", "slow Once more.", "-y")[0] == 0
    assert results(place)["up"]["answer"] == ""


def test_junit_lists_pull_requests_and_tells_failed_from_passed(ended: LiveTasks) -> None:
    root = ET.fromstring(ended.run("results", "--format", "junit")[1])
    cases = {case.get("name"): case for case in root.iter("testcase")}
    assert cases["bad"].find("error") is not None
    assert "pull requests: acme/network#" in (cases["up10"].findtext("system-out") or "")


def test_markdown_has_answers_only_on_request_and_no_backlinks(ended: LiveTasks) -> None:
    out = ended.run("results", "--format", "markdown")[1]
    assert "https://redirect.github.com/acme/network/pull/" in out
    assert "https://github.com" not in out
    assert out.startswith("### Results: 1 failed, 2 done\n")
    ended.write({**LIVES, "later": "finishing"})
    unfolded = ended.run("results", "--format", "markdown", "-v")[1]
    assert unfolded.startswith("### Results: 1 failed, 2 done, 1 not created yet\n")
    for agents_text in ("upgraded", "simulated"):
        assert agents_text not in out
        assert agents_text in unfolded


def test_the_page_shows_answers_as_text(ended: LiveTasks) -> None:
    out = ended.run("results", "--format", "html")[1]
    assert "<h4>Answer</h4>" in out
    assert '<p class="result begin" dir="auto">All checks pass.' in out
    assert out.index(">bad</") < out.index(">up10</")  # what needs attention comes first
    comment = ended.run("results", "--format", "markdown")[1]
    assert comment.index("`bad`") < comment.index("`up10`")
    assert 'href="https://github.com/acme/network/pull/' in out
