"""`entities` of a task: short for `message.entity_diff.add`."""

from __future__ import annotations

import json

from tests.support.in_process import InProcess

STACK = {"type": "stack", "name": "prod", "project": "network"}
LONG = {"message": {"content": "do it", "entity_diff": {"add": [STACK]}}}
SHORT = {"message": "do it", "entities": [STACK]}


def test_entities_are_sent_with_the_message_and_both_forms_are_one(here: InProcess) -> None:
    here.sandbox.write({"k": SHORT})
    assert here.run("apply").code == 0
    assert len(here.server.posts) == 1
    assert here.server.world.tasks[0].shown["entities"] == [STACK]
    here.sandbox.write({"k": LONG})
    assert here.run("plan").actions() == {"k": "unchanged"}
    here.sandbox.write({"k": {**SHORT, "entities": []}})
    (task,) = here.run("plan").document["tasks"]
    assert (task["action"], task["diff"][0]["path"]) == ("changed", "message.entity_diff")


def test_entities_of_an_entry_are_templates(here: InProcess) -> None:
    entry = {
        "forEach": {"stack": ["prod", "dev"]},
        "message": "do it",
        "entities": [{**STACK, "name": "{{ stack }}"}],
    }
    here.sandbox.write({"k": entry})
    assert here.run("apply").code == 0
    made = [task.shown["entities"][0]["name"] for task in here.server.world.tasks]
    assert sorted(made) == ["dev", "prod"]
    shown = json.dumps(here.run("plan").document)
    assert "{{" not in shown
