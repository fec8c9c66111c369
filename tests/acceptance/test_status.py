"""`taskctl status` on the embedded service."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.live_tasks import LONGER, LiveTasks

LIVES = {
    "good": "finishing well",
    "asks": "approving of it",
    "bad": "failing always",
    "half": "stopping early",
}


def test_every_status_is_shown_and_tasks_that_need_a_person_come_first(place: LiveTasks) -> None:
    place.apply(LIVES)
    place.time.advance(LONGER)
    code, out, err = place.run("status", "--exit-code")
    assert (code, err) == (1, "")
    head, *rows = out.splitlines()
    assert head.split() == ["KEY", "STATUS", "AGE", "TOKENS"]
    told = [tuple(row.split()[:2]) for row in rows if row[:1].isalpha()]
    assert told == [
        ("asks", "waiting"), ("bad", "failed"), ("half", "stopped"), ("good", "done")
    ]  # fmt: skip
    assert rows[-1] == "1 waiting, 1 failed, 1 stopped, 1 done."
    assert "/neo/tasks/" not in out + place.run("status", "-v")[1]


@pytest.mark.parametrize(("key", "code"), [("good", 0), ("asks", 3), ("bad", 1), ("slow", 2)])
def test_the_exit_code_reflects_the_statuses(place: LiveTasks, key: str, code: int) -> None:
    place.time.stop()
    place.apply({**LIVES, "slow": "slow but sure"}, isShared=False)
    place.time.advance(0.2)
    assert place.run("status", key, "--exit-code", "-q")[:2] == (code, "")
    assert place.run("status", key)[0] == 0


def test_json_contains_every_output(place: LiveTasks) -> None:
    place.apply(LIVES)
    place.time.advance(LONGER)
    document = place.document("status", "asks", "tasks/all.yaml")
    assert document["summary"] == {"waiting": 1, "failed": 1, "stopped": 1, "done": 1}
    asks = document["tasks"][0]
    assert asks["outputs"]["pendingInputCount"] == 0
    assert asks["outputs"]["source"] == "api"
    assert asks["approvals"][0]["context"]["tool_name"] == "pulumi_up"


def test_an_unknown_key_or_path_is_an_error(place: LiveTasks) -> None:
    place.apply(LIVES)
    code, out, err = place.run("status", "godo")
    assert (code, out) == (1, "")
    assert "good" in err


def test_events_are_cached_and_a_missing_or_corrupt_cache_is_harmless(
    place: LiveTasks, cache_folder: Path
) -> None:
    place.apply({"asks": LIVES["asks"]})
    place.time.advance(LONGER)
    assert place.statuses() == {"asks": "waiting"}
    caches = list(cache_folder.rglob("events-*.json"))
    assert len(caches) == 1
    kept = json.loads(caches[0].read_text())
    for token, event in ((None, "none of them"), ("no token", "e"), ("no token", None)):
        entry = next(iter(kept["entries"].values()))
        entry["token"] = token
        entry["event"] = event or entry["event"]
        caches[0].write_text(json.dumps(kept))
        assert place.statuses() == {"asks": "waiting"}
    caches[0].write_text("{")
    assert place.statuses() == {"asks": "waiting"}
    caches[0].unlink()
    assert place.statuses() == {"asks": "waiting"}


def test_gone_and_not_visible_tasks_are_distinguished(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.apply({"good": LIVES["good"]})
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "pul-somebody-else")
    assert place.statuses() == {"good": "notVisible"}


def test_status_without_tasks(place: LiveTasks) -> None:
    code, out, _ = place.run("status", "--exit-code")
    assert (code, out.splitlines()[0][:30]) == (0, "No tasks are recorded yet. To ")
    assert out.splitlines()[1].startswith("    taskctl apply")
    place.apply({"good": LIVES["good"]})
    assert place.run("status", "--status", "gone")[1] == "No matching tasks are recorded.\n"


def test_an_unsupported_format_is_an_error_in_text(place: LiveTasks) -> None:
    code, out, err = place.run("status", "--format", "html")
    assert (code, out) == (1, "")
    assert '"html" is not one of text, json or keys' in err


def test_a_task_that_failed_is_named_with_the_command_until_somebody_decides(
    place: LiveTasks,
) -> None:
    failing = {name: f"failing {name}" for name in ("retried", "replaced", "removed")}
    place.apply({**failing, "cancelled": "endless"})
    place.time.advance(LONGER)

    def failed() -> dict[str, list[str]]:
        code, out, _ = place.run("status", "--exit-code", "--format", "json")
        found = {each["key"]: each["command"][:4] for each in json.loads(out)["failed"]}
        assert (code == 1) == bool(found)
        return found

    retry = ["taskctl", "apply", "--retry"]
    assert failed() == {name: [*retry, f"acme/{name}"] for name in failing}
    rows = place.run("status")[1].splitlines()
    at = next(n for n, row in enumerate(rows) if row.startswith("retried "))
    assert any(
        row.startswith("  taskctl apply --retry acme/retried") for row in rows[at + 1 : at + 4]
    )
    assert place.run("cancel", "cancelled", "-y")[0] == 0
    assert "cancelled" not in failed()
    place.write({"retried": "finishing", "replaced": "finishing too", "cancelled": "endless"})
    assert failed()["removed"] == ["taskctl", "state", "rm", "acme/removed"]
    assert place.run("state", "rm", "removed", "-y")[0] == 0
    assert place.run("apply", "-y", "--replace", "replaced", "--retry", "retried")[0] == 0
    assert failed() == {}
