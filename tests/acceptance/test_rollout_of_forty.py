"""Forty upgrades with an expected result: the second pilot is unmet, is corrected with `say`, and
the rollout continues. Then the expectation is edited."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.live_tasks import LiveTasks

ROWS = [f"repo-{number:02}" for number in range(1, 41)]
PILOTS = [f"upgrade@{name}" for name in ROWS[:2]]
GOOD, BAD = '{"upgraded": ["aws"]}', '{"upgraded": "aws"}'
BLOCK = "```json\n{{ row.answer }}\n```"
MANIFEST = f"""\
version: 1
orgName: acme
tasks:
  upgrade:
    forEach: {{row: {{file: data/repositories.csv}}}}
    rollout: {{pilot: 2, atOnce: 10, stopAfter: 3}}
    message: |
      Upgrade the providers of acme/{{{{ row.name }}}} and open a pull request. End with JSON:
      {BLOCK.replace(chr(10), chr(10) + "      ")}
    expect:
      pullRequests: 1
      data: schemas/upgrade.json
"""
SCHEMA = {
    "type": "object",
    "required": ["upgraded"],
    "properties": {"upgraded": {"type": "array", "items": {"type": "string"}}},
}


def write(
    place: LiveTasks, schema: dict[str, Any], manifest: str = MANIFEST, more: str = ""
) -> None:
    tasks = place.folder / "tasks"
    for folder in ("data", "schemas"):
        (tasks / folder).mkdir(parents=True, exist_ok=True)
    rows = [(name, BAD if number == 1 else GOOD) for number, name in enumerate(ROWS)]
    rows += [(more, GOOD)] if more else []
    quoted = "".join(f'{name},"{answer.replace(chr(34), chr(34) * 2)}"\n' for name, answer in rows)
    (tasks / "data" / "repositories.csv").write_text(f"name,answer\n{quoted}")
    (tasks / "schemas" / "upgrade.json").write_text(json.dumps(schema))
    (tasks / "upgrade.yaml").write_text(manifest)


def planned(place: LiveTasks) -> dict[tuple[str, str], int]:
    counts: dict[tuple[str, str], int] = {}
    for task in place.document("plan")["tasks"]:
        kind = (task["action"], task["reason"])
        counts[kind] = counts.get(kind, 0) + 1
    return counts


@pytest.fixture
def unmet(place: LiveTasks) -> LiveTasks:
    """The first plan and apply; the second pilot did not deliver what is expected."""
    write(place, SCHEMA)
    assert planned(place) == {("create", "new"): 2, ("held", "pilot"): 38}
    code, out, err = place.run("apply", "--yes", "--wait", "--interval", "100ms")
    assert code == 1, out + err
    place.finish(**{PILOTS[0]: "done", PILOTS[1]: "unmet"})
    return place


@pytest.fixture
def complete(unmet: LiveTasks) -> LiveTasks:
    """The pilot is corrected, and all others have followed."""
    assert unmet.run("say", PILOTS[1], f"Again:\n```json\n{GOOD}\n```", "-y")[0] == 0
    unmet.finish(**dict.fromkeys(PILOTS, "done"))
    code, out, err = unmet.run("apply", "--yes", "--wait", "--interval", "100ms")
    assert code == 0, out + err
    assert "\n40 done.\n" in out
    return unmet


def test_an_unmet_pilot_holds_the_other_38(unmet: LiveTasks) -> None:
    assert planned(unmet) == {("unchanged", "same"): 2, ("held", "stopped"): 38}
    plan = unmet.document("plan")
    assert (plan["applyWillFail"], plan["hasChanges"]) == (False, False)
    held = next(task for task in plan["tasks"] if task["action"] == "held")
    assert held["waitsFor"] == [PILOTS[1]]
    code, out, _ = unmet.run("plan")
    assert code == 0
    assert f"{PILOTS[1]} (unmet" in out
    assert unmet.run("apply", "--yes")[0] == 0
    assert len(unmet.statuses()) == 2
    code, out, _ = unmet.run("results", "--exit-code")
    assert code == 1
    assert "/upgraded: expected an array, got a string" in out
    assert f"taskctl say acme/{PILOTS[1]}" in out
    assert "1 unmet, 1 done. 38 not created yet." in out


def test_the_corrected_rollout_continues_to_forty_results(complete: LiveTasks) -> None:
    assert planned(complete) == {("unchanged", "same"): 40}
    tasks = complete.document("results")["tasks"]
    assert [task["key"] for task in tasks] == [f"upgrade@{name}" for name in ROWS]
    assert {task["status"] for task in tasks} == {"done"}
    assert all(task["data"] == {"upgraded": ["aws"]} for task in tasks)
    assert all(len(task["pullRequests"]) == 1 for task in tasks)


@pytest.mark.parametrize("edited", ["schema file", "manifest"])
def test_an_expectation_edited_after_success_is_evaluated_again(
    complete: LiveTasks, edited: str
) -> None:
    """The tasks are not changed, but they are unmet, and hold a new row until it is met again."""
    stricter = {**SCHEMA, "required": ["upgraded", "skipped"]}
    manifest = MANIFEST.replace("pullRequests: 1", "pullRequests: 2")
    new = (stricter, MANIFEST) if edited == "schema file" else (SCHEMA, manifest)
    write(complete, *new)
    assert planned(complete) == {("unchanged", "same"): 40}
    assert complete.run("plan", "--detailed-exitcode")[0] == 0
    assert set(complete.statuses().values()) == {"unmet"}
    assert complete.run("wait")[0] == 1
    write(complete, *new, more="repo-41")
    assert planned(complete) == {("unchanged", "same"): 40, ("held", "stopped"): 1}
    assert complete.run("apply", "--yes")[0] == 0
    write(complete, SCHEMA, more="repo-41")  # the success that was recorded for it counts again
    assert complete.run("say", PILOTS[0], "failing now", "-y")[0] == 0
    assert planned(complete) == {("unchanged", "same"): 40, ("create", "new"): 1}
