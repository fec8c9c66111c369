"""A state cannot choose which files taskctl reads: anyone who can commit one could."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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


def change_file(folder: Path, name: str) -> None:
    """Makes the state's only record name another manifest."""
    (path,) = (p for p in folder.rglob("*.state.json"))
    state = json.loads(path.read_text())
    del state["checksum"]
    (record,) = state["tasks"].values()
    record["file"] = name
    path.write_text(json.dumps(state))
