"""With `--format json`, stdout is one document that satisfies its published schema: after a success
with everything that the schema knows of, after a failure with only what is known."""

from __future__ import annotations

import json
import signal
from collections import defaultdict
from importlib import import_module
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from click.testing import CliRunner

from reconciler.app.context import Context
from reconciler.app.task_reader import TaskReader
from reconciler.cli.commands.schema import SCHEMAS
from reconciler.cli.main import run
from reconciler.remote.client import Client
from reconciler.system.clock import Stop
from tests.support.documents import check_complete, check_document
from tests.support.live_tasks import LiveTasks
from tests.support.sandbox import ROOT
from tests.support.state_files import open_at
from tools.schemas import OF_FILES

TASKS = {"good": "finishing", "asks": "approving", "cli": "delegating", "bad": "failing"}
READING: dict[str, tuple[str, ...]] = {
    "status": ("status",),
    "wait": ("wait", "--timeout", "1s"),
    "results": ("results",),
    "show": ("show", "good"),
}
OFFLINE: dict[str, tuple[str, ...]] = {"state-list": ("state", "list")}
PLANNING: dict[str, tuple[str, ...]] = {"plan": ("plan",), "apply": ("apply", "--yes")}
"""The commands that print a document, by its schema."""


class Documents:
    """Runs commands, checks what they print, and keeps it for another validator."""

    def __init__(self, place: LiveTasks) -> None:
        self.place = place
        self.found: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def ok(self, schema: str, *words: str) -> dict[str, Any]:
        """The document of a command that did what it was asked to."""
        document = self.prints(schema, *words)
        check_complete(schema, document)
        return document

    def fails(self, schema: str, *words: str, code: int = 1) -> None:
        """Checks that the command fails, and that its document says why and nothing else."""
        document = self.prints(schema, *words, code=code)
        assert set(document) == {"formatVersion", "diagnostics"}, document
        assert [item["severity"] for item in document["diagnostics"]].count("error") > 0

    def all_fail(self, *commands: dict[str, tuple[str, ...]], code: int = 1) -> None:
        for group in commands:
            for schema, words in group.items():
                self.fails(schema, *words, code=code)

    def prints(self, schema: str, *words: str, code: int | None = None) -> dict[str, Any]:
        """The document of a command, which satisfies its schema."""
        place = self.place
        where = () if words[0] == "validate" else ("--backend", place.url)
        place.capture.readouterr()
        ended = run([*words, *where, "--format", "json", "-C", str(place.folder)])
        out, err = place.capture.readouterr()
        assert code in (None, ended), (words, out, err)
        document: dict[str, Any] = json.loads(out)
        check_document(schema, document)
        self.found[schema].append(document)
        return document


@pytest.fixture
def documents(place: LiveTasks) -> Documents:
    place.apply(TASKS, toolExecutionMode="cli")
    place.finish(good="done", asks="waiting", cli="waiting", bad="failed")
    return Documents(place)


def succeed(documents: Documents, quiet: tuple[str, ...]) -> None:
    """Every command does what it is asked to."""
    place = documents.place
    documents.ok("validate", "validate", *quiet)
    new = "-".join(("new", *quiet))
    place.write({**TASKS, new: f"finishing {new}"}, toolExecutionMode="cli", planMode=True)
    plan = documents.ok("plan", "plan", "--out", "p.taskctl", *quiet)
    assert {task["action"] for task in plan["tasks"]} >= {"create", "changed"}
    documents.ok("apply", "apply", "--yes", "--wait", "--timeout", "1s", *quiet)
    documents.ok("apply", "apply", "--yes", *quiet)
    for schema, words in {**READING, **OFFLINE}.items():
        documents.ok(schema, *words, *quiet)
    place.write(TASKS, toolExecutionMode="cli")


def interrupted(*_given: Any, **_facts: Any) -> Any:
    raise KeyboardInterrupt


def stopping(patch: pytest.MonkeyPatch, function: Any) -> Any:
    """The function, during which the first signal arrives, on which another thread acts. A second
    signal would end the process."""
    left, acted, stop = [signal.SIGINT], Event(), Stop.set

    def noted(self: Stop, exit_code: int) -> None:
        stop(self, exit_code)
        acted.set()

    def stopped(*given: Any, **facts: Any) -> Any:
        if left:
            signal.raise_signal(left.pop())
            acted.wait()
        return function(*given, **facts)

    patch.setattr(Stop, "set", noted)
    return stopped


def fail(documents: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command fails in every way in which it can."""
    place = documents.place
    with monkeypatch.context() as patch:  # no token
        patch.delenv("PULUMI_ACCESS_TOKEN")
        documents.all_fail(PLANNING, READING)
        skipped = documents.prints("plan", "plan", "--skip-without-token", code=0)
        assert set(skipped) == {"formatVersion", "diagnostics"}
    with monkeypatch.context() as patch:  # no service
        patch.setattr(place, "url", "http://127.0.0.1:9")
        documents.all_fail(PLANNING)
        documents.fails("status", "status", "--state", "other.state.json", "none")
    with monkeypatch.context() as patch:  # a signal before there is a result
        patch.setattr(Context, "read_state", interrupted)
        patch.setattr(Context, "load", interrupted)
        patch.setattr("reconciler.app.state.read_any_state", interrupted)
        documents.all_fail({"validate": ("validate",)}, PLANNING, READING, OFFLINE, code=130)
    with monkeypatch.context() as patch:  # the first signal during a wait
        patch.setattr(TaskReader, "statuses", stopping(patch, TaskReader.statuses))
        waited = documents.prints("wait", "wait", "--timeout", "1h", code=130)
        check_complete("wait", waited)
        assert waited["end"] == "interrupted"
    place.write({**TASKS, "n1": "finishing 1", "n2": "finishing 2"}, toolExecutionMode="cli")
    documents.fails("apply", "apply")  # nobody can be asked
    with open_at(place.folder / "taskctl.state.json", backend=place.url):
        documents.fails("apply", "apply", "--yes")  # the state is locked
    with monkeypatch.context() as patch:  # the first signal during a create
        patch.setattr(Client, "create_task", stopping(patch, Client.create_task))
        applied = documents.prints("apply", "apply", "--yes", "--parallelism", "1", code=130)
        check_complete("apply", applied)
        assert [task["result"] for task in applied["tasks"]] == ["created", "notStarted"]
    for schema, words in {**PLANNING, **READING, **OFFLINE}.items():
        documents.fails(schema, *words, "--nope")
        documents.fails(schema, *words[:2], "--state", "p.taskctl")  # it is no state
    documents.fails("show", "show", "unknown")
    (place.folder / "tasks/all.yaml").write_text("version: 1\ntasks: {good: {}}\n")
    documents.all_fail(PLANNING)
    invalid = documents.ok("validate", "validate")
    assert (invalid["valid"], invalid["summary"]["errors"]) == (False, 1)
    (shown,) = documents.ok("show", "show", "good")["tasks"]
    assert not {"manifest", "diff"} & set(shown)  # it is not known what the manifest says
    (place.folder / "tasks/all.yaml").unlink()
    (shown,) = documents.ok("show", "show", "good")["tasks"]
    assert (shown["manifest"], shown["diff"]) == (None, [])


def test_what_fails_last_is_in_the_document(documents: Documents) -> None:
    """A document is printed once nothing else can fail."""
    for schema, words in {"validate": ("validate",), "plan": ("plan",)}.items():
        document = documents.prints(schema, *words, "--report", "markdown=tasks", code=1)
        check_complete(schema, document)
        assert "TC811" in [item["code"] for item in document["diagnostics"]]


def test_a_state_that_does_not_exist_has_no_lineage(documents: Documents) -> None:
    other = documents.ok("state-list", "state", "list", "--state", "other.state.json")
    assert (other["lineage"], other["serial"], other["tasks"]) == (None, 0, [])
    (task, *_) = documents.ok("state-list", "state", "list", "good")["tasks"]
    assert task["recorded"] is not None


def test_every_document_satisfies_its_schema(
    documents: Documents, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(documents.place.folder)
    succeed(documents, ())
    succeed(documents, ("-q",))
    fail(documents, monkeypatch)
    assert set(documents.found) == set(SCHEMAS) - set(OF_FILES)
    validator = import_module("check_jsonschema").main
    for schema, found in documents.found.items():
        names = [f"{tmp_path}/{schema}-{number}.json" for number in range(len(found))]
        for name, document in zip(names, found, strict=True):
            Path(name).write_text(json.dumps(document))
        file = str(ROOT / f"schemas/{schema}.schema.json")
        ended = CliRunner().invoke(validator, ["--schemafile", file, *names])
        assert (ended.exit_code, len(names) > 0) == (0, True), ended.output
