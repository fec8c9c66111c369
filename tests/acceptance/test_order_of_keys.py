"""Numbers in keys are sorted as numbers, in everything that people read; files keep text order."""

from __future__ import annotations

import json
import re

from tests.support.live_tasks import LONGER, LiveTasks

KEYS = ["k1", "k2", "k10", "k10a", "k010b", "k100"]
BY_TEXT = sorted(KEYS)
TEXTS = {key: f"finishing {key}" for key in BY_TEXT}


def keys_in(text: str) -> list[str]:
    """The keys in a text, each where it is mentioned first."""
    return list(dict.fromkeys(re.findall(r"\bk[0-9]+[a-z]?\b", text)))


def listed(place: LiveTasks, *command: str) -> list[str]:
    return [task["key"] for task in place.document(*command)["tasks"]]


def test_plans_and_applies_sort_numbers_as_numbers(place: LiveTasks) -> None:
    place.write(TEXTS)
    for form in ("text", "markdown", "html", "junit"):
        _, out, _ = place.run("plan", "--format", form)
        assert keys_in(out) == KEYS, form
    assert listed(place, "plan") == KEYS
    assert listed(place, "apply", "--yes") == KEYS
    place.write({})
    _, out, err = place.run("plan", "--fail-on", "orphaned")
    assert keys_in(out) == KEYS
    assert keys_in(err) == KEYS


def test_lists_of_recorded_tasks_sort_numbers_as_numbers(place: LiveTasks) -> None:
    place.apply(TEXTS)
    place.time.advance(LONGER)
    place.write({})  # results follow the manifests
    for command in (("state", "list"), ("status",), ("results",)):
        assert listed(place, *command) == KEYS, command
        assert keys_in(place.run(*command)[1]) == KEYS, command
    logs = place.run("logs", "k*")[1]
    assert keys_in("".join(re.findall(r"==> .* <==", logs))) == KEYS
    assert keys_in(place.run("results", "--format", "csv")[1]) == KEYS


def test_the_state_keeps_the_order_of_its_keys(place: LiveTasks) -> None:
    place.apply(TEXTS)
    stored = json.loads((place.folder / "taskctl.state.json").read_text())
    assert list(stored["tasks"]) == [f"acme/{key}" for key in BY_TEXT]
