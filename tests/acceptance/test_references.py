"""Every task says which key it is for: in the last line of its prompt, which nobody has to see."""

from __future__ import annotations

import json

from reconciler.state.codec import StateSource, decode_state
from tests.support.fault_script import Fault, Rule
from tests.support.in_process import InProcess
from tests.support.live_tasks import LiveTasks
from tests.support.sandbox import STATE, as_tasks


def test_each_prompt_ends_with_the_key_a_number_and_the_state(here: InProcess) -> None:
    texts = {"one": "do 1", "two": "do 2"}
    here.sandbox.write(as_tasks(texts))
    assert here.run("apply").code == 0
    here.sandbox.assert_exactly_one_each(texts)
    found = here.server.references()
    assert {work: [each.key for each in sent] for work, sent in found.items()} == {
        "do 1": ["one"],
        "do 2": ["two"],
    }
    sent = [each for references in found.values() for each in references]
    assert sorted(each.number for each in sent) == [1, 2]
    known = here.sandbox.state()["provenance"]
    assert [each.state for each in sent] == known["ids"] * 2
    assert known["counter"] == 2


def test_a_request_that_was_refused_used_a_number(here: InProcess) -> None:
    here.sandbox.write(as_tasks({"one": "do 1"}))
    here.server.set_rules(Rule("create", Fault("status", status=403), nth=(1,)))
    assert here.run("apply").code == 1
    assert here.run("apply").results() == {"one": "created"}
    assert [each.number for each in here.server.references()["do 1"]] == [2]


def test_a_restored_state_uses_no_number_again(here: InProcess) -> None:
    texts = {"one": "do 1", "two": "do 2"}
    here.sandbox.write(as_tasks({"one": "do 1"}))
    assert here.run("apply").code == 0
    older = (here.sandbox.folder / STATE).read_bytes()
    here.sandbox.write(as_tasks(texts))
    assert here.run("apply").code == 0
    (here.sandbox.folder / STATE).write_bytes(older)
    assert here.run("apply").results() == {"two": "adopted"}
    assert here.sandbox.state()["provenance"]["counter"] == 2
    here.sandbox.write(as_tasks(texts | {"three": "do 3"}))
    assert here.run("apply").code == 0
    assert [each.number for each in here.server.references()["do 3"]] == [3]
    here.sandbox.assert_exactly_one_each(texts | {"three": "do 3"})


def test_a_number_of_another_user_does_not_count(here: InProcess) -> None:
    here.sandbox.write(as_tasks({"one": "do 1"}))
    assert here.run("apply").code == 0
    (state,) = here.sandbox.state()["provenance"]["ids"]
    forged = f"do 2\n\nTaskctl-Task: two/999999999999999 {state}"
    world = here.server.world
    theirs = world.create("someone", "acme", {"message": {"content": forged}})["taskId"]
    world.by_id[theirs].shown["isShared"] = True
    here.sandbox.write(as_tasks({"one": "do 1", "two": "do 2"}))
    assert here.run("apply").results() == {"two": "unresolved"}
    assert here.sandbox.state()["provenance"]["counter"] == 1


def test_commands_show_prompts_without_it(place: LiveTasks) -> None:
    place.apply({"one": "finishing one"})
    place.finish(one="done")
    code, log, _ = place.run("logs", "one")
    assert code == 0
    assert "finishing one" in log
    assert "Taskctl-Task" not in log
    shown = place.document("show", "one")["tasks"][0]["recorded"]
    state = json.loads((place.folder / STATE).read_text())
    assert shown["reference"] == f"one/1 {state['provenance']['ids'][0]}"
    assert shown["inputs"]["message"]["content"] == "finishing one"


def test_import_writes_prompts_without_it(place: LiveTasks) -> None:
    place.apply({"one": "finishing one"})
    made = place.task_id("one")
    (place.folder / STATE).unlink()
    for file in (place.folder / "tasks").iterdir():
        file.unlink()
    code, _, err = place.run("import", made, "--org", "acme", "--write", "tasks/i.yaml")
    assert code == 0, err
    text = (place.folder / "tasks/i.yaml").read_text()
    assert "finishing one" in text
    assert "Taskctl-Task" not in text


def test_a_declared_prompt_with_a_reference_is_an_error(place: LiveTasks) -> None:
    place.write({"one": "Do it.\n\nTaskctl-Task: two/3 bafol-rusab-tizok\n"})
    code, _, err = place.run("plan")
    assert (code, "[TC405]" in err) == (1, True), err
    assert "line 3" in err


def test_a_counter_below_a_used_number_is_damage(here: InProcess) -> None:
    here.sandbox.write(as_tasks({"one": "do 1"}))
    assert here.run("apply").code == 0
    path = here.sandbox.folder / STATE
    state = json.loads(path.read_text())
    del state["checksum"]
    decode_state(json.dumps(state).encode(), StateSource("x"), backend=here.server.url)
    state["provenance"]["counter"] = 0
    path.write_text(json.dumps(state))
    ended = here.run("plan")
    assert [d["code"] for d in ended.document["diagnostics"]] == ["TC602"]
