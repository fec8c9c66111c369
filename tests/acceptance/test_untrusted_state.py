"""A state cannot choose which files taskctl reads: anyone who can commit one could."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from reconciler.model import limits
from tests.support.live_tasks import LiveTasks

SECRET = "s3cr3t"


@pytest.mark.parametrize("linked", [False, True])
def test_the_manifest_that_a_state_names_is_read_only_in_the_repository(
    place: LiveTasks, tmp_path_factory: pytest.TempPathFactory, *, linked: bool
) -> None:
    place.apply({"a": "finishing"})
    place.finish(a="done")
    outside = tmp_path_factory.mktemp("outside") / "private.yaml"
    outside.write_text(
        f"version: 1\norgName: acme\ntasks:\n  a:\n    message: {SECRET}\n    {SECRET}: 1\n"
        "    expect: {pullRequests: 7}\n"
    )
    named = str(outside)
    if linked:
        named = "tasks/linked.yaml"
        (place.folder / named).symlink_to(outside)
    change_file(place.folder, named)
    for words in (["show", "a"], ["status"], ["results"]):
        _, out, said = place.run(*words)
        assert SECRET not in out + said
        assert "fewer than the expected 7" not in out + said
    assert "[TC116]" in "".join(place.run("show", "a")[1:])


@pytest.mark.parametrize(
    ("named", "is_repository"),
    [(".env", True), (".env", False), ("values.yaml", True), ("tasks/.x.yaml", True), ("x", False)],
)
def test_only_manifests_are_read(place: LiveTasks, named: str, *, is_repository: bool) -> None:
    if is_repository:
        subprocess.run(["git", "init", "-q", str(place.folder)], check=True)
    place.apply({"a": "finishing"})
    place.finish(a="done")
    text = f"version: 1\norgName: acme\n{SECRET}: {SECRET}\nexpect: 1\n"
    (place.folder / named).write_text(text)
    change_file(place.folder, named)
    for words in (["show", "a"], ["status"], ["results"]):
        _, out, said = place.run(*words)
        assert SECRET not in out + said
    assert "[TC116]" in "".join(place.run("show", "a")[1:])


def test_the_recorded_manifest_need_not_be_committed_and_its_lines_are_not_shown(
    place: LiveTasks,
) -> None:
    subprocess.run(["git", "init", "-q", str(place.folder)], check=True)
    place.apply({"a": "finishing"})
    place.finish(a="done")
    assert "[TC116]" not in "".join(place.run("show", "a")[1:])
    other = place.folder / "other.yaml"
    other.write_text(f"version: 1\norgName: acme\ntasks:\n  a: {{message: x, y: {SECRET}}}\n")
    change_file(place.folder, other.name)
    assert "[TC116]" in "".join(place.run("show", "a")[1:])
    subprocess.run(["git", "-C", str(place.folder), "add", other.name], check=True)
    said = "".join(place.run("show", "a")[1:])
    assert "[TC201]" in said
    assert SECRET not in said


def test_no_manifest_is_read_through_a_link(place: LiveTasks) -> None:
    """As in discovery, even if the link leads to a manifest that is read anyway."""
    place.apply({"a": "finishing"}, expect={"pullRequests": 7})
    place.finish(a="unmet")
    (place.folder / "linked").symlink_to("tasks")
    change_file(place.folder, "linked/all.yaml")
    assert place.statuses() == {"a": "unknown"}
    assert "[TC116]" in "".join(place.run("show", "a")[1:])


def change_file(folder: Path, name: str) -> None:
    """Makes the state's only record name another manifest."""
    (path,) = (p for p in folder.rglob("*.state.json"))
    state = json.loads(path.read_text())
    del state["checksum"]
    (record,) = state["tasks"].values()
    record["file"] = name
    path.write_text(json.dumps(state))


def nest(value: object, levels: int) -> str:
    """The JSON of a value with "@deep" replaced by nested lists."""
    text = json.dumps(value)
    assert '"@deep"' in text
    return text.replace('"@deep"', "[" * levels + "]" * levels)


@pytest.mark.reaches("STORED_DEPTH")
@pytest.mark.parametrize("levels", [limits.STORED_DEPTH, 900])
def test_a_state_that_is_nested_too_deeply_is_an_error(place: LiveTasks, levels: int) -> None:
    place.apply({"a": "finishing"})
    path = place.folder / "taskctl.state.json"
    state = json.loads(path.read_text())
    del state["checksum"]
    state["tasks"]["acme/a"]["inputs"]["role"] = "@deep"
    path.write_text(nest(state, levels))
    for words in (["show", "a"], ["plan"], ["status"], ["state", "list"], ["apply", "--yes"]):
        code, out, err = place.run(*words)
        assert (code, "nested too deeply [TC602]" in out + err) == (1, True), (words, out, err)
    path.write_text(nest(state, limits.STORED_DEPTH - 2))  # a record and its inputs are two levels
    for words in (["show", "a"], ["plan"], ["status"], ["state", "list"]):
        code, out, err = place.run(*words)
        assert code == 0, (words, out, err)
