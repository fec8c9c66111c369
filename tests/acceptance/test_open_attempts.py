"""An attempt with an unknown outcome is decided by proof, or by a person who names its key."""

from __future__ import annotations

from tests.support.fault_server import Fault, Rule
from tests.support.in_process import InProcess
from tests.support.sandbox import as_tasks


def lose_state(here: InProcess) -> None:
    (here.sandbox.folder / "taskctl.state.json").unlink()


def test_the_glob_of_an_organization_never_answers_an_open_attempt(here: InProcess) -> None:
    """`acme/*` ends a recovery. A noted key whose create is ambiguous keeps its attempt."""
    here.sandbox.write(as_tasks({"same": "do 0", "edited": "before", "other": "first"}))
    assert here.run("apply").code == 0
    lose_state(here)
    here.sandbox.write(as_tasks({"same": "do 0", "edited": "after", "other": "second"}))
    assert here.run("apply", "--adopt").results()["same"] == "adopted"
    assert here.run_state("resolve", "edited", "--not-created").code == 0
    here.server.habits.marks = "rounded"
    here.server.set_rules(Rule("create", Fault("reset", committed=True)))
    assert set(here.run("apply").results().values()) == {"unresolved"}
    here.server.set_rules()
    assert here.run_state("resolve", "acme/*", "--not-created", "-y").code == 0
    here.run("apply")
    made = here.server.tasks_by_work()
    assert (len(made["after"]), len(made["second"])) == (1, 1)


def test_the_first_attempt_of_a_new_state_survives_the_glob_of_its_organization(
    here: InProcess,
) -> None:
    """The same without any loss: the attempt is older than the recovery."""
    here.sandbox.write(as_tasks({"a": "do a", "b": "do b"}))
    here.server.habits.marks = "rounded"
    here.server.set_rules(Rule("create", Fault("reset", committed=True)))
    assert here.run("apply").results() == {"a": "unresolved", "b": "unresolved"}
    here.server.set_rules()
    here.sandbox.write(as_tasks({"a": "do a", "b": "do b", "c": "do c"}))
    here.run("apply", "--adopt", "--target", "c")
    assert here.run_state("resolve", "acme/*", "--not-created", "-y").code == 0
    here.run("apply")
    made = {text: len(ids) for text, ids in here.server.tasks_by_work().items()}
    assert made == {"do a": 1, "do b": 1, "do c": 1}
