"""A plan that is confirmed shows every prompt, or how much of it is missing and how to see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.cli.main import run
from reconciler.model.task import DesiredTask, TaskRef
from reconciler.plan.plan import Action, Plan, PlannedTask, Reason
from reconciler.render import render
from reconciler.render.plan.summary import shortened_count
from reconciler.render.style import Style

URL = "https://api.pulumi.com"
WIDTHS = (60, 80, 200)


def plan(*prompts: str) -> Plan:
    """A plan that creates a task for each prompt, with equal settings."""
    tasks = []
    for number, prompt in enumerate(prompts):
        ref = TaskRef("acme", f"t-{number}")
        inputs = {"message": {"content": prompt}, "approvalMode": "manual"}
        desired = DesiredTask(ref.key, "acme", inputs, "tasks/all.yaml", number + 1, 1)
        tasks.append(
            PlannedTask(ref, Action.CREATE, Reason.NEW, "tasks/all.yaml", 1, desired=desired)
        )
    return Plan(URL, (), tuple(tasks))


def lines(number: int) -> str:
    return "\n".join(f"line {at}" for at in range(1, number + 1))


def said(report: Plan, width: int = 80, *, verbose: bool = False) -> str:
    return render("text", report, Style(width=width, verbose=verbose))


@pytest.mark.parametrize("width", WIDTHS)
def test_no_word_of_similar_prompts_is_dropped(width: int) -> None:
    """A prefix in common, and what differs at the end."""
    same = "Go through the accounts of the organization and delete every IAM user in region"
    shown = " ".join(said(plan(*(f"{same} {n}." for n in range(4))), width).split())
    shown = shown.replace(" | ", " ")
    assert [shown.count(f"delete every IAM user in region {n}.") for n in range(4)] == [1] * 4


@pytest.mark.parametrize("width", WIDTHS)
def test_a_prompt_is_whole_up_to_40_lines(width: int) -> None:
    assert "line 40\n" in said(plan(lines(40)), width)
    shown = said(plan(lines(54)), width)
    assert "line 20\n" in shown
    assert "line 21\n" not in shown
    assert "(34 more lines, -v shows them)" in shown
    assert "line 54\n" in said(plan(lines(54)), width, verbose=True)


@pytest.mark.parametrize("width", WIDTHS)
def test_only_the_beginning_of_many_prompts_is_shown(width: int) -> None:
    many = plan(*(f"{lines(8)}\nof {number:03}" for number in range(300)))
    shown = said(many, width)
    assert shown.count("line 5\n") == shown.count("(4 more lines, -v shows them)\n") == 300
    assert "line 6" not in shown
    for name in ("html", "markdown"):
        assert render(name, many, Style()).count("of 299") == (1 if name == "html" else 0)
    assert said(many, width, verbose=True).count("line 8\n") == 300


def test_the_question_counts_shortened_prompts() -> None:
    assert shortened_count(plan(lines(40)), verbose=False) == ""
    assert shortened_count(plan(lines(41)), verbose=False) == (
        " 1 prompt is shortened; -v shows them."
    )
    many = plan(*(lines(7) + f" {n}" for n in range(300)))
    assert shortened_count(many, verbose=False) == " 300 prompts are shortened; -v shows them."
    assert shortened_count(many, verbose=True) == ""


@pytest.mark.parametrize("width", WIDTHS)
def test_values_of_an_entry_that_are_cut_are_counted(
    width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One row of a data file can hide behind the beginning of its value, or in its middle."""
    long = f"{'and so on, ' * 30}delete production{', and so on' * 30}"
    (tmp_path / "tasks").mkdir()
    entry = {"forEach": {"s": [{"name": n, "note": "fine"} for n in ("a", "b")]}}
    entry["forEach"]["s"].append({"name": "c", "note": long})
    tasks = {"up": {**entry, "message": "Update {{ s.name }}. {{ s.note }}"}}
    manifest = {"version": 1, "orgName": "acme", "tasks": tasks}
    (tmp_path / "tasks/a.yaml").write_text(json.dumps(manifest))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", str(width))
    options = ["plan", "--backend", "local", "--format"]
    said = {}
    for name in ("text", "markdown", "html"):
        assert run([*options, name]) == 0
        said[name] = capsys.readouterr().out
    assert "delete production" not in said["text"]
    assert "… values of 1 task are cut; -v shows them" in said["text"]
    assert "delete production" in said["markdown"]
    assert "delete production" in said["html"]
    run([*options, "text", "-v"])
    shown = " ".join(capsys.readouterr().out.replace("|", " ").split())
    assert "delete production" in shown
    assert "are cut" not in shown


@pytest.mark.parametrize("format_name", ["html", "markdown"])
def test_other_formats_are_whole(format_name: str) -> None:
    assert "line 200" in render(format_name, plan(lines(200)), Style())


def test_a_long_diff_is_never_shortened_within_a_line() -> None:
    from reconciler.render.text_diff import diff_rows

    before = "word " * 60 + "end"
    after = before.replace("end", "and delete everything end")
    rows = diff_rows(before, after, Style(width=60))
    assert "..." not in "".join(rows)
    assert "".join(row[2:] + " " for row in rows if row.startswith("-")).split() == before.split()
    assert "".join(row[2:] + " " for row in rows if row.startswith("+")).split() == after.split()
