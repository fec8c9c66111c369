"""Generated keys on the command line: selections, moves, and keys with a slash."""

from __future__ import annotations

import json
import textwrap

import pytest

from tests.support.live_tasks import LiveTasks


def entry(place: LiveTasks, name: str, *rows: str, more: str = "") -> None:
    text = f"""
        version: 1
        orgName: acme
        tasks:
          {name}:
            forEach: {{row: [{", ".join(rows)}]}}
            message: finishing the work of {{{{ row }}}}
            {more}
        """
    (place.folder / "tasks").mkdir(exist_ok=True)
    (place.folder / "tasks" / "all.yaml").write_text(textwrap.dedent(text))


def actions(place: LiveTasks, *more: str) -> dict[str, str]:
    return {task["key"]: task["action"] for task in place.document("plan", *more)["tasks"]}


def recorded(place: LiveTasks) -> list[str]:
    return sorted(task["key"] for task in place.document("status")["tasks"])


def test_a_slash_in_a_key_does_not_name_an_organization(place: LiveTasks) -> None:
    entry(place, "t", "web/eu", "web/us", "db")
    assert actions(place, "--target", "t@web/*") == {"t@web/eu": "create", "t@web/us": "create"}
    assert actions(place, "--target", "acme/t@web/eu") == {"t@web/eu": "create"}
    assert place.run("apply", "--yes")[0] == 0
    for word in ("t@web/eu", "acme/t@web/eu"):
        assert [t["key"] for t in place.document("status", word)["tasks"]] == ["t@web/eu"]
        assert place.run("state", "list", word)[0] == 0
    assert place.run("wait", "t@web/*")[0] == 0
    wish = f"t@web/eu={place.task_id('t@web/eu')}"
    assert actions(place, "--replace", wish)["t@web/eu"] == "replace"
    assert place.run("state", "rm", "t@web/us")[0] == 0
    assert recorded(place) == ["t@db", "t@web/eu"]
    code, _, err = place.run("plan", "--target", "t@web/ue")
    assert (code, "t@web/eu" in err) == (1, True)


def test_a_whole_entry_is_renamed(place: LiveTasks) -> None:
    entry(place, "t", "a", "b")
    assert place.run("apply", "--yes")[0] == 0
    entry(place, "u", "a", "b", "c")
    code, _, err = place.run("state", "mv", "t@*", "u@*")
    assert (code, "--yes" in err or "-y" in err) == (
        1,
        True,
    )  # several keys, and no terminal to confirm
    code, out, err = place.run("state", "mv", "t@*", "u@*", "-y")
    assert (code, out) == (0, "Renamed acme/t@a to acme/u@a.\nRenamed acme/t@b to acme/u@b.\n")
    assert actions(place) == {"u@a": "unchanged", "u@b": "unchanged", "u@c": "create"}


def test_earlier_periods_of_a_renamed_entry_are_kept(place: LiveTasks) -> None:
    def write(name: str) -> None:
        text = f"version: 1\norgName: acme\ntasks: {{{name}: {{every: day, message: finishing}}}}\n"
        (place.folder / "tasks" / "all.yaml").write_text(text)

    (place.folder / "tasks").mkdir()
    write("daily")
    assert place.run("apply", "--yes")[0] == 0
    state = place.folder / "taskctl.state.json"
    (task,) = place.document("status")["tasks"]
    today = task["key"].partition("@")[2]
    document = json.loads(state.read_text().replace(f"@{today}", "@2020-01-01"))
    document["tasks"]["acme/daily@2020-01-01"]["generated"]["period"] = "2020-01-01"
    del document["checksum"]
    state.write_text(json.dumps(document))
    write("day")
    code, _, err = place.run("state", "mv", "daily@*", "day@*")
    assert code == 0, err  # a single key needs no confirmation
    assert actions(place) == {f"day@{today}": "create"}
    assert recorded(place) == ["day@2020-01-01"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("t@*", "u@x", "as many"),
        ("t@*", "u@?", "u@?"),
        ("t@[ab]", "u@*", "t@[ab]"),
        ("t*@*", "u@*", "as many"),
        ("t@*", "*!", "invalid task key"),
        ("x@*", "u@*", "x@*"),
    ],
)
def test_an_invalid_move_is_refused(place: LiveTasks, old: str, new: str, said: str) -> None:
    entry(place, "t", "a", "b")
    assert place.run("apply", "--yes")[0] == 0
    code, _, err = place.run("state", "mv", old, new, "-y")
    assert (code, said in err) == (1, True), err
    assert recorded(place) == ["t@a", "t@b"]


def test_one_impossible_move_prevents_all(place: LiveTasks) -> None:
    rows = "{forEach: {row: [a, b]}, message: 'finishing t {{ row }}'}"
    taken = "{forEach: {row: [b]}, message: 'finishing u {{ row }}'}"
    text = f"version: 1\norgName: acme\ntasks: {{t: {rows}, u: {taken}}}\n"
    (place.folder / "tasks").mkdir(exist_ok=True)
    (place.folder / "tasks" / "all.yaml").write_text(text)
    assert place.run("apply", "--yes")[0] == 0
    assert place.run("state", "mv", "t@*", "u@*", "-y")[0] == 1
    assert recorded(place) == ["t@a", "t@b", "u@b"]


def test_moved_from_in_a_manifest_moves_rows(place: LiveTasks) -> None:
    entry(place, "t", "a", "b")
    assert place.run("apply", "--yes")[0] == 0
    entry(place, "u", "a", "b", more='movedFrom: "t@{{ row }}"')
    assert actions(place) == {"u@a": "move", "u@b": "move"}
    assert place.run("apply", "--yes")[0] == 0
    assert recorded(place) == ["u@a", "u@b"]
    entry(place, "plain", "a")
    text = (
        "version: 1\norgName: acme\ntasks: {p: {movedFrom: u@a, message: finishing the work of a}}"
    )
    (place.folder / "tasks" / "all.yaml").write_text(text)
    assert actions(place) == {"p": "move", "u@b": "orphaned"}
