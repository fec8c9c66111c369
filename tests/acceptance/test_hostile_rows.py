"""Values of data files are untrusted: they must not control terminals, logs or pages."""

from __future__ import annotations

import csv
import json
import os
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.support.called import call
from tests.support.doc_blocks import environment
from tests.support.escaping import commands_in, invisible_in
from tests.support.repository import new_repository, track

MANIFEST = """
version: 1
orgName: acme
tasks:
  up:
    forEach:
      repo: {file: ../data/rows.csv}
    rollout: {pilot: 1}
    message: Do {{ repo.name }}, because {{ repo.why }}
"""
SCRIPT = "<script>alert(1)</script>"
ROWS = [
    "::error::stop",
    "##[error]stop",
    f"a|b `c` ``d`` {SCRIPT}",
    "![x](http://evil.example/x.png) [l](javascript:alert(1))",
    "</details></pre></td><img src=x onerror=alert(1)>",
    "\u202egnp.exe\u202c \u2066",
    "\u200bnothing",
    "{{ repo.name }} {{",
    "x" * 5_000,
    "$(id) `id` ; --flag",
]
FORMATS = ("text", "markdown", "html", "json", "junit", "sarif", "github")


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}


def write(folder: Path, rows: list[str], same: str) -> None:
    for name in ("tasks", "data"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "tasks" / "all.yaml").write_text(MANIFEST)
    with (folder / "data" / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["name", "why", "same"])
        table.writerows([f"k{number}", why, same] for number, why in enumerate(rows))


@pytest.mark.parametrize("same", ROWS[:5])
def test_hostile_values_are_inert_in_every_format(tmp_path: Path, same: str) -> None:
    write(tmp_path, ROWS, same)
    files = [f"--report={form}=out.{form}" for form in FORMATS]
    env = environment(tmp_path, TASKCTL_BACKEND="local")
    code, out, err = call(["plan", *files], tmp_path, env)
    assert code == 0, err
    shown = {form: (tmp_path / f"out.{form}").read_text(encoding="utf-8") for form in FORMATS}
    for form, text in {**shown, "stdout": out, "stderr": err}.items():
        assert invisible_in(text) <= {"\n"}, form
        if form not in ("json", "sarif"):  # documents keep the text unchanged
            assert commands_in(text) == [] or form == "github", form
    assert all(len(row) <= 80 for row in out.splitlines())
    page = Tags()
    page.feed(shown["html"])
    assert "img" not in page.found
    assert "onerror" not in page.attributes
    rows = [row for row in shown["markdown"].splitlines() if row.startswith("| `")]
    assert {row.replace("\\|", "").count(" | ") for row in rows[1:]} == {2}
    assert "\n</details></pre>" not in shown["markdown"]
    for task in json.loads(shown["json"])["tasks"]:
        assert task["values"]["repo.why"] in ROWS
        assert (task["entry"], task["values"]["repo.same"]) == ("up", same)


@pytest.mark.parametrize("character", ["\x1b", "\x00", "\x08", "\x9b", "\u2028"])
def test_a_control_character_is_an_error_with_its_row(tmp_path: Path, character: str) -> None:
    write(tmp_path, ["well", f"a{character}b"], "main")
    _, out, err = call(["validate"], tmp_path, environment(tmp_path))
    assert "(data/rows.csv:3)" in out + err
    assert invisible_in(out + err) <= {"\n"}


def test_data_outside_the_repository_is_never_read(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    new_repository(repository)
    write(repository, ["well"], "main")
    track(repository)
    data = repository / "data" / "rows.csv"
    outside = tmp_path / "outside.csv"
    outside.write_text("name,why,same\nsecret,x,y\n")
    env = environment(tmp_path)
    for what, said in (
        (lambda: os.mkfifo(data), "not a regular file"),
        (lambda: data.symlink_to("/dev/zero"), "outside the repository"),
        (lambda: data.symlink_to(outside), "outside the repository"),
        (lambda: data.symlink_to("rows.csv"), "links in the path"),
        (lambda: data.write_text("name\n" + "x" * 2**20), "larger than"),
    ):
        data.unlink()
        what()
        code, out, err = call(["validate"], repository, env)
        assert code == 1, said
        assert said in out + err
        assert "secret" not in out + err
