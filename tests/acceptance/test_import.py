"""`taskctl import`: tasks created elsewhere become a manifest and records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pulumi_cloud_sdk import models

from reconciler.app import import_
from reconciler.embedded.wsgi import ApiUser
from reconciler.importing.declaration import read_opening
from reconciler.manifest.fmt import format_manifest
from reconciler.model import limits
from tests.support.embedded_client import Api
from tests.support.embedded_sdk import Sdk, user_message
from tests.support.escaping import commands_in, invisible_in
from tests.support.in_process import InProcess
from tests.support.live_tasks import LONGER, LiveTasks
from tests.support.repository import new_repository, track
from tests.support.sandbox import TOKEN, as_tasks

PROMPT = "Look at the stacks.\n\n  - name each\n\t- and its owner: #1\n"
NOBODY = "2026-11-01T00:00:00Z"


@pytest.fixture
def place(place: LiveTasks, tmp_path: Path) -> LiveTasks:
    (tmp_path / "tasks").mkdir()
    return place


def created(api: Api, message: str | Mapping[str, Any], **settings: Any) -> str:
    """Creates a task without taskctl."""
    body = {"content": message} if isinstance(message, str) else message
    stamped = {"type": "user_message", "timestamp": NOBODY, **body}
    made = api.call("POST", "/api/preview/agents/acme/tasks", {"message": stamped, **settings})
    return str(made.json["taskId"])


def at_rest(place: LiveTasks) -> None:
    """All agents finish, because a working agent may rename its task."""
    place.time.advance(LONGER)
    listed = place.api.call("GET", "/api/preview/agents/acme/tasks").json["tasks"]
    assert {task["status"] for task in listed} == {"idle"}


def patched(api: Api, task_id: str, **changes: Any) -> None:
    assert api.call("PATCH", f"/api/preview/agents/acme/tasks/{task_id}", changes).status == 200


def left_open(place: LiveTasks, number: int = 1, *, replaces: bool = False) -> str:
    """Turns the record of `good` into an attempt without outcome; returns its task ID."""
    state = place.folder / "taskctl.state.json"
    known = json.loads(state.read_text())
    record = known["tasks"].pop("acme/good")
    del known["checksum"]  # as after a manual merge
    _, _, own = record["reference"].rpartition(" ")
    attempt = {
        "task": "acme/good",
        **{name: record[name] for name in ("inputs", "digest", "identity", "file")},
        "reference": f"good/{number} {own}",
        "startedAt": record["createdAt"],
        **({"replaces": record["taskId"]} if replaces else {}),
    }
    known["provenance"]["counter"] = number
    state.write_text(json.dumps({**known, "attempts": {str(number): attempt}}))
    return str(record["taskId"])


def unchanged(place: LiveTasks, *more: str) -> None:
    code, out, err = place.run("plan", "--detailed-exitcode", *more)
    assert code == 0, out + err
    assert "No changes." in out, out


def test_the_plan_after_an_import_is_empty(place: LiveTasks) -> None:
    full = created(
        place.api,
        {
            "content": PROMPT,
            "entity_diff": {"add": [{"type": "stack", "name": "prod", "project": "net: #1"}]},
        },
        approvalMode="auto",
        permissionMode="read-only",
        planMode=True,
        source="slack",
        enabledIntegrations=[],
    )
    patched(place.api, full, name="Über: the *stacks*", isShared=True)
    plain = created(place.api, "finishing it")
    code, out, err = place.run("import", full, plain, "--org", "acme", "--write", "tasks/i.yaml")
    assert (code, "    taskctl plan" in err) == (0, True), err
    assert "2 imported into tasks/i.yaml." in out
    unchanged(place)


def test_an_imported_task_was_created_when_the_service_says(place: LiveTasks) -> None:
    place.time.stop()
    task_id = created(place.api, "finishing it")
    at = place.time().isoformat(timespec="seconds")[:19]
    place.time.advance(7200)
    assert place.run("import", task_id, "--org", "acme", "--write", "tasks/i.yaml")[0] == 0
    shown = place.run("show", "finishing-it")[1]
    (row,) = [row for row in shown.splitlines() if row.strip().startswith("created:")]
    assert row.split()[1].startswith(at)


def test_tasks_with_the_same_prompt_are_imported_oldest_first(place: LiveTasks) -> None:
    made = []
    for message in ("Look.", "Read.", "Look.", "Look.", "Look.", "Read."):
        made.append(created(place.api, message))
        place.time.advance(1)
    found = place.document("import", "--all", "--org", "acme", "--dry-run")["tasks"]
    assert [task["taskId"] for task in found] == made  # the oldest first
    assert place.run("import", "--all", "--write", "tasks/a.yaml", "--org", "acme")[0] == 0
    unchanged(place)


def test_an_existing_file_is_extended_and_keeps_its_comments(place: LiveTasks) -> None:
    before = (
        "# Ours.\nversion: 1\norgName: acme\ndefaults:\n  permissionMode: read-only # looks\n"
        "tasks:\n    # the first\n    first: {message: finishing the first}  # as it was\n\n# end\n"
    )
    file = place.folder / "tasks" / "ours.yaml"
    file.write_text(before)
    assert place.run("apply", "--yes")[0] == 0
    ids = [created(place.api, f"finishing {word}") for word in ("this", "first", "first")]
    assert place.run("import", *ids[:2], "--org", "acme", "--write", "tasks/ours.yaml")[0] == 0
    unchanged(place)
    code, out, _ = place.run("import", *ids, "--org", "acme", "--write", "tasks/ours.yaml")
    assert (code, "1 imported into tasks/ours.yaml, 2 skipped." in out) == (0, True), out
    lines, kept = file.read_text().splitlines(), [line for line in before.splitlines() if line]
    assert [line for line in lines if line in kept] == kept
    for key in ("finishing-this", "finishing-first", "finishing-first-2"):
        assert f"    {key}:" in lines
    unchanged(place)


def test_a_file_that_cannot_be_extended_safely_is_unchanged(place: LiveTasks) -> None:
    file = place.folder / "tasks" / "all.yaml"
    file.write_text('{"version": 1, "tasks": {}}')
    task_id = created(place.api, "finishing it")
    code, out, err = place.run("import", task_id, "--org", "acme", "--write", "tasks/all.yaml")
    assert (code, out) == (1, "")
    assert "tasks/all.yaml: error: " in err
    assert "[TC117]" in err
    assert file.read_text() == '{"version": 1, "tasks": {}}'
    assert not (place.folder / "taskctl.state.json").exists()


def test_filters_select_tasks(place: LiveTasks) -> None:
    other = Api(place.api.app, token="another")
    mine, shared = created(place.api, "finishing mine"), created(other, "finishing theirs")
    created(other, "finishing what nobody sees")
    patched(other, shared, isShared=True)

    def listed(*choice: str) -> set[str]:
        document = place.document("import", *choice, "--org", "acme", "--dry-run")
        return {task["taskId"] for task in document["tasks"]}

    assert listed("--all") == {mine, shared}
    assert listed("--mine") == listed("--mine", "--since", "1h") == {mine}
    assert listed("--all", "--since", "2100-01-01") == set()
    assert listed(shared) == {shared}
    assert not list((place.folder / "tasks").iterdir())
    for wrong in ((), ("--all", "--mine"), ("x", "--mine"), ("x", "--since", "1d")):
        assert place.run("import", *wrong, "--dry-run")[0] == 1
    assert (
        "[TC815]"
        in place.run("import", "--all", "--since", "soon", "--org", "acme", "--dry-run")[2]
    )
    code, out, err = place.run("import", mine, "nowhere", "--org", "acme", "--write", "a.yaml")
    assert (code, out) == (1, "")
    assert "no task nowhere in acme, or this token cannot see it" in err
    assert not (place.folder / "a.yaml").exists()


def test_the_organization_is_that_of_the_manifests(place: LiveTasks) -> None:
    mine = created(place.api, "finishing mine")
    place.write({})
    assert "in acme" not in place.run("import", "--mine", "--dry-run")[2]
    place.write({"a": "finishing"})
    document = place.document("import", "--mine", "--dry-run")
    assert [task["taskId"] for task in document["tasks"]] == [mine]
    assert "in beta" in place.run("import", "--mine", "--org", "beta", "--dry-run")[2]
    named = place.document("import", f"acme/{mine}", "--org", "beta", "--dry-run")
    assert [(task["orgName"], task["taskId"]) for task in named["tasks"]] == [("acme", mine)]


def test_mine_needs_a_user_with_a_name(place: LiveTasks, monkeypatch: pytest.MonkeyPatch) -> None:
    task_id = created(place.api, "finishing it")
    monkeypatch.setattr(ApiUser, "info", lambda _: {})
    code, out, err = place.run("import", "--mine", "--org", "acme", "--write", "a.yaml")
    assert (code, out) == (1, "")
    assert "[TC842]" in err
    code, out, _ = place.run("import", task_id, "--org", "acme", "--write", "a.yaml")
    assert (code, "1 imported into a.yaml." in out) == (0, True), out


def test_a_vanished_task_of_another_user_counts_as_not_visible(place: LiveTasks) -> None:
    other = Api(place.api.app, token="another")
    shared = created(other, "finishing theirs")
    patched(other, shared, isShared=True)
    assert place.run("import", "--all", "--org", "acme", "--write", "tasks/i.yaml")[0] == 0
    unchanged(place)
    patched(other, shared, isShared=False)
    (task,) = place.document("plan")["tasks"]
    assert (task["action"], task["reason"]) == ("unchanged", "notVisible")


def test_names_chosen_by_the_agent_are_not_written(place: LiveTasks) -> None:
    named, unnamed = created(place.api, "finishing one"), created(place.api, "finishing two")
    patched(place.api, named, name="By hand")
    at_rest(place)
    place.run("import", named, unnamed, "--org", "acme", "--write", "tasks/i.yaml")
    text = (place.folder / "tasks/i.yaml").read_text()
    assert text.count("name:") == 1
    assert "  by-hand:\n" in text


def test_a_redacted_message_is_not_written(place: LiveTasks) -> None:
    secret = created(place.api, "finishing [REDACTED] it")
    code, _, err = place.run("import", secret, "--org", "acme", "--write", "tasks/i.yaml")
    assert code == 0
    assert "message: contains [REDACTED] instead of a credential; left out" in err
    assert "message" not in (place.folder / "tasks/i.yaml").read_text()
    unchanged(place)


def test_imported_text_is_inert(place: LiveTasks) -> None:
    texts = [
        "finishing \x1b[31m\u202e it\n::error::no\n##[group]no\n",
        "finishing &a *b !c %d @e `f` - # g: h\n---\n...\n",
        "finishing\r\n  it \u2028 \ufeff\x85\n\n\n",
        "finishing ::stop-commands::x",
    ]
    for text in texts:
        created(place.api, text)
    at_rest(place)
    code, out, err = place.run("import", "--all", "--org", "acme", "--dry-run")
    assert code == 0
    assert not commands_in(out + err)
    assert not invisible_in(out + err) - {"\n"}
    assert place.run("import", "--all", "--org", "acme", "--write", "tasks/i.yaml")[0] == 0
    state = json.loads((place.folder / "taskctl.state.json").read_text())
    assert {task["inputs"]["message"]["content"] for task in state["tasks"].values()} == set(texts)
    written = (place.folder / "tasks/i.yaml").read_bytes()
    assert written.decode() == out
    assert format_manifest(written, "i.yaml").content == written
    unchanged(place)


def test_a_credential_causes_a_warning_and_appears_in_no_key(place: LiveTasks) -> None:
    created(place.api, "password: hunter2hunter2 finishing")
    _, out, err = place.run("import", "--all", "--org", "acme", "--write", "tasks/i.yaml")
    assert "hunter2" not in out + err
    assert "[TC402]" in err
    assert "hunter2" not in place.run("validate")[2]


def test_a_manifest_outside_the_usual_places_is_named_in_the_next_step(place: LiveTasks) -> None:
    created(place.api, "finishing it")
    _, _, err = place.run("import", "--all", "--org", "acme", "--write", "old tasks.yaml")
    assert "    taskctl plan 'old tasks.yaml'" in err
    unchanged(place, "old tasks.yaml")


def test_other_manifests_must_be_valid(place: LiveTasks) -> None:
    (place.folder / "tasks" / "bad.yaml").write_text("version: 1\ntasks: {a: {mesage: x}}\n")
    created(place.api, "finishing it")
    code, out, err = place.run("import", "--all", "--org", "acme", "--write", "tasks/i.yaml")
    assert (code, out) == (1, "")
    assert "tasks/bad.yaml:2:13: error: tasks.a.mesage" in err
    assert not (place.folder / "tasks" / "i.yaml").exists()


def test_an_import_killed_before_recording_is_completed(place: LiveTasks) -> None:
    task_id = created(place.api, "finishing it")
    place.run("import", task_id, "--org", "acme", "--write", "tasks/i.yaml")
    state, written = place.folder / "taskctl.state.json", place.folder / "tasks" / "i.yaml"
    recorded, text = state.read_text(), written.read_text()
    state.unlink()
    (task,) = place.document("plan")["tasks"]
    assert (task["action"], task["taskId"]) == ("adopt", task_id)
    (told,) = place.document("import", task_id, "--org", "acme", "--write", "b.yaml")["tasks"]
    assert (told["result"], told["file"], told["line"]) == ("imported", "tasks/i.yaml", 4)
    assert written.read_text() == text
    assert not (place.folder / "b.yaml").exists()
    assert json.loads(state.read_text())["tasks"].keys() == json.loads(recorded)["tasks"].keys()
    unchanged(place)


@pytest.mark.parametrize("listed", [False, True])
def test_a_task_that_an_open_attempt_may_have_created_is_not_imported(
    place: LiveTasks, *, listed: bool
) -> None:
    place.apply({"good": "finishing"})
    task_id = left_open(place)
    if listed:
        named = {"other": {"taskID": task_id}}
        text = json.dumps({"version": 1, "orgName": "acme", "tasks": named})
        (place.folder / "b.yaml").write_text(text)
    code, out, err = place.run("import", "--all", "--org", "acme", "--write", "b.yaml")
    assert (code, out) == (1, "")
    assert "attempt to create acme/good; nothing was imported [TC843]" in err
    assert "taskctl apply" in err
    assert place.run("apply", "--yes")[0] == 0
    assert len(place.api.list().json["tasks"]) == 1


def test_a_task_that_an_open_attempt_replaces_belongs_to_its_key(place: LiveTasks) -> None:
    """The record was lost with the state; the journal has the attempt."""
    place.apply({"good": "finishing"})
    left_open(place, replaces=True)
    (told,) = place.document("import", "--all", "--org", "acme", "--write", "b.yaml")["tasks"]
    assert (told["key"], told["result"]) == ("good", "skipped")
    assert not (place.folder / "b.yaml").exists()


def test_a_key_with_an_open_attempt_gets_no_other_task(place: LiveTasks) -> None:
    """Not even a task of another request."""
    place.apply({"good": "finishing"})
    task_id = left_open(place, number=7)
    place.write({"good": "finishing"}, taskID=task_id)
    (told,) = place.document("import", "--all", "--org", "acme", "--write", "b.yaml")["tasks"]
    assert (told["key"], told["result"]) == ("good", "skipped")
    assert json.loads((place.folder / "taskctl.state.json").read_text())["tasks"] == {}


@pytest.mark.parametrize("words", [("--mine",), ("--all",)])
def test_a_task_that_says_which_key_it_is_for_is_skipped(
    here: InProcess, words: tuple[str, ...]
) -> None:
    """Its own state records it."""
    other = here.within("other")
    other.sandbox.write(as_tasks({"theirs": "do it"}))
    assert other.run("apply").code == 0
    command = ["import", *words, "--org", "acme", "--write", "tasks/b.yaml", "--format", "json"]
    ended = here.run_words([*command, "--backend", here.server.url])
    (told,) = ended.document["tasks"]
    assert (told["key"], told["result"]) == ("theirs", "skipped")
    made = other.sandbox.recorded()["theirs"]
    command[1:2] = [made]
    ended = here.run_words([*command, "--backend", here.server.url])
    assert ended.document["summary"]["imported"] == 1  # a person has chosen it


def test_the_token_appears_in_no_file(place: LiveTasks, monkeypatch: pytest.MonkeyPatch) -> None:
    token = "plain-words-of-a-token"
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", token)
    place.api = replace(place.api, token=token)
    one = created(place.api, f"finishing with {token}")
    two = created(place.api, "finishing")
    patched(place.api, one, name=f"Use {token}")
    patched(place.api, two, name=token)
    code, out, err = place.run("import", "--all", "--org", "acme", "--write", "tasks/i.yaml")
    assert (code, "2 imported" in out) == (0, True), err
    assert err.count("message: contains [REDACTED]") == 1
    assert err.count("name: contains [REDACTED]") == 2
    unchanged(place)
    for command in (["plan"], ["status"], ["show", "finishing"], ["logs", f"task-{one}"]):
        for form in ("text", "json"):
            out += "".join(map(str, place.run(*command, "--format", form)))
    held = [p for p in place.folder.rglob("*") if p.is_file() and token.encode() in p.read_bytes()]
    assert [p.name for p in held if not p.name.startswith("service.db")] == []
    assert token not in out + err


def test_only_a_file_can_be_written(place: LiveTasks) -> None:
    code, out, err = place.run("import", "--all", "--write", "tasks", "--org", "acme")
    assert (code, out) == (1, "")
    assert "tasks: error: manifest: not a regular file [TC840]" in err


def test_files_other_than_manifests_are_never_written(place: LiveTasks, tmp_path: Path) -> None:
    """The state and its other files, the configuration, and links in the repository."""
    created(place.api, "finishing")
    repository = place.folder = tmp_path / "repository"
    (repository / "tasks").mkdir(parents=True)
    new_repository(repository)
    outside = tmp_path / "outside.yaml"
    (repository / "tasks" / "link.yaml").symlink_to(outside)
    (repository / "linked").symlink_to(tmp_path)
    state = "taskctl.state.json"
    for file, why in {
        state: "must end with .yaml or .yml",
        f"{state}.journal": "must end with .yaml or .yml",
        f"{state}.backup": "must end with .yaml or .yml",
        "taskctl.toml": "must end with .yaml or .yml",
        ".git/hooks.yaml": "the file is inside .git",
        "tasks/link.yaml": "a link points outside the repository",
        "linked/outside.yaml": "a link points outside the repository",
    }.items():
        code, out, err = place.run("import", "--all", "--write", file, "--org", "acme")
        assert (code, out) == (1, "")
        assert f"{file}: error: " in err
        assert why in err
    assert not outside.exists()
    assert sorted(path.name for path in repository.iterdir()) == [".git", "linked", "tasks"]
    (repository / "tasks" / "link.yaml").unlink()
    assert place.run("import", "--all", "--write", "real.tasks.yaml", "--org", "acme")[0] == 0
    assert (repository / "real.tasks.yaml").is_file()
    track(repository)
    unchanged(place)
    assert place.run("import", "--all", "--write", "../outside.yaml", "--org", "acme")[0] == 0


def test_a_key_with_another_task_keeps_it(place: LiveTasks) -> None:
    place.apply({"good": "finishing"})
    other = created(place.api, "finishing more")
    file = place.folder / "tasks" / "all.yaml"
    file.write_text(f"version: 1\norgName: acme\ntasks: {{good: {{taskID: '{other}'}}}}\n")
    (told,) = place.document("import", other, "--org", "acme", "--write", "b.yaml")["tasks"]
    assert (told["result"], told["why"]) == ("skipped", "its key has another task")
    assert place.task_id("good") != other


def test_a_file_that_changes_meanwhile_is_unchanged(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    created(place.api, "finishing it")
    file = place.folder / "tasks" / "i.yaml"

    def read(events: Any) -> Any:
        file.write_text("version: 1\ntasks: {}\n")
        return read_opening(events)

    monkeypatch.setattr(import_, "read_opening", read)
    code, out, err = place.run("import", "--all", "--org", "acme", "--write", "tasks/i.yaml")
    assert (code, out) == (1, "")
    assert "tasks/i.yaml: error: another program changed the file during the import" in err
    assert file.read_text() == "version: 1\ntasks: {}\n"
    assert not (place.folder / "taskctl.state.json").exists()


def test_an_unwritable_target_is_an_error(place: LiveTasks) -> None:
    (place.folder / "file").write_text("")
    created(place.api, "finishing it")
    code, out, err = place.run("import", "--all", "--org", "acme", "--write", "file/i.yaml")
    assert (code, out) == (1, "")
    assert "file/i.yaml: error: " in err
    assert "[TC101]" in err
    assert not (place.folder / "taskctl.state.json").exists()


def test_replaced_tasks_are_not_imported(place: LiveTasks) -> None:
    place.apply({"good": "finishing"})
    old = place.task_id("good")
    place.finish(good="done")
    place.write({"good": "finishing anew"})
    assert place.run("apply", "--yes", "--replace", "good")[0] == 0
    assert place.task_id("good") != old
    document = place.document("import", "--all", "--org", "acme", "--write", "b.yaml")
    why = {task["taskId"]: task["why"] for task in document["tasks"]}
    assert why == {
        old: "replaced by another task of this key",
        place.task_id("good"): "already recorded",
    }
    assert not (place.folder / "b.yaml").exists()


def test_tasks_created_by_the_pulumi_sdk_are_imported(place: LiveTasks) -> None:
    sdk = Sdk.of(place.url, TOKEN)
    stack = models.AgentEntityStack(name="prod", project="net")
    message = user_message("finishing it", entity_diff=models.AgentEntityDiff(add=[stack]))
    request = models.CreateAgentTaskRequest(message=message, plan_mode=False)
    task_id = str(sdk.agents.create_tasks("acme", request).task_id)
    assert place.run("import", task_id, "--org", "acme", "--write", "tasks/i.yaml")[0] == 0
    unchanged(place)
    state = json.loads((place.folder / "taskctl.state.json").read_text())
    (record,) = state["tasks"].values()
    assert record["inputs"]["message"] == {
        "content": "finishing it",
        "entity_diff": {"add": [{"type": "stack", "name": "prod", "project": "net"}]},
    }


@pytest.mark.parametrize("is_new", [True, False])
def test_a_manifest_that_would_be_too_large_is_not_written(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch, *, is_new: bool
) -> None:
    target = place.folder / "tasks" / "i.yaml"
    if not is_new:
        target.parent.mkdir(exist_ok=True)
        target.write_text("version: 1\ntasks:\n  old: {message: Do something else}\n")
    before = target.read_text() if target.exists() else None
    for sign in "xy":
        created(place.api, sign * 2_500)
    monkeypatch.setattr(limits, "MANIFEST_BYTES", 4_000)
    words = ("import", "--all", "--org", "acme", "--write", "tasks/i.yaml")
    for more in ((), ("--dry-run",)):
        code, _, err = place.run(*words, *more)
        assert (code, "[TC840]" in err) == (1, True), err
    assert (target.read_text() if target.exists() else None) == before
    monkeypatch.setattr(limits, "MANIFEST_BYTES", 8_000)
    assert place.run(*words)[0] == 0


@pytest.mark.parametrize("broken", [{"id": None}, {"createdAt": "soon"}])
def test_an_unreadable_list_imports_nothing(here: InProcess, broken: dict[str, Any]) -> None:
    for _ in range(2):
        here.server.world.create("me", "acme", {"message": {"content": "do it"}})
    here.sandbox.write(as_tasks({"key": "do it"}))
    here.server.world.tasks[0].shown |= broken
    words = ["import", "--mine", "--org", "acme", "--write", "tasks/b.yaml", "--format", "json"]
    ended = here.run_words([*words, "--backend", here.server.url])
    assert [d["code"] for d in ended.document["diagnostics"]] == ["TC714"], ended.stdout
    assert ended.code == 1
    assert not (here.sandbox.folder / "tasks/b.yaml").exists()


def test_a_list_page_without_tasks_does_not_end_the_import(here: InProcess) -> None:
    for name in ("one", "two"):
        here.server.world.create("me", "acme", {"message": {"content": f"do {name}"}})
    here.sandbox.write({})
    here.server.world.habits.begins_empty = True
    words = ["import", "--all", "--org", "acme", "--write", "tasks/b.yaml", "--format", "json"]
    ended = here.run_words([*words, "--backend", here.server.url])
    assert ended.code == 0, ended.stdout
    assert len(ended.document["tasks"]) == 2
