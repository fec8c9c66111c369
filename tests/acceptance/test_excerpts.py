"""The lines of manifests below diagnostics: what is marked, and what is never shown."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.cli.main import run
from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Excerpt, Place, error
from reconciler.model.value import replace
from reconciler.render import cells
from reconciler.render.diagnostics import render_one
from reconciler.render.style import Style
from tests.support.escaping import commands_in, invisible_in

TOKEN = "ghp_aB3dE5fG7hI9jK1lM2nO4pQ6rS8tU0vW2xY4"


def excerpts(
    text: str, folder: Path, capture: pytest.CaptureFixture[str], *options: str
) -> list[tuple[str, str]]:
    """Each source line of stderr, and what is marked in it."""
    (folder / "a.yaml").write_text(text, encoding="utf-8")
    run(["-C", str(folder), "--color", "never", "validate", "a.yaml", *options])
    lines = capture.readouterr().err.splitlines()
    found = []
    for line, below in pairwise(lines):
        if below.strip(" |^") == "" and "^" in below:
            begin, end = below.index("^"), len(below)
            found.append((line.partition(" | ")[2], line[begin:end]))
    return found


def task(body: str) -> str:
    return f"version: 1\ntasks:\n  a:\n{body}"


def test_the_key_or_the_value_is_marked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = task('    mesage: Do it.\n    isShared: "true"  # all\n    permissionMode: readonly\n')
    assert excerpts(text, tmp_path, capsys) == [
        ("    mesage: Do it.", "mesage"),
        ('    isShared: "true"  # all', '"true"'),
        ("    permissionMode: readonly", "readonly"),
    ]


def test_a_problem_that_the_parser_finds_marks_the_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twice = task("    message: x\n  a:\n    message: y\n")
    assert excerpts(twice, tmp_path, capsys) == [("  a:", "a")]
    cut_off = task("    message: Fix issue #412 today\n")
    assert excerpts(cut_off, tmp_path, capsys) == [("    message: Fix issue #412 today", "#")]


def test_a_problem_of_the_whole_file_has_no_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert excerpts("tasks: {}\n", tmp_path, capsys) == []
    assert excerpts("", tmp_path, capsys) == []


def test_the_line_of_a_block_scalar_is_that_of_the_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = "    forEach: {region: [eu, us]}\n    message: |\n      In regon\n      {{ regon }}.\n"
    assert excerpts(task(entry), tmp_path, capsys) == [("      {{ regon }}.", "{{ regon")]
    todo = task("    message: >\n      Fix it.\n      TODO: how?\n")
    assert excerpts(todo, tmp_path, capsys) == [("      TODO: how?", "TODO")]


def test_a_generated_task_has_the_line_of_its_entry(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = "    forEach: {s: [x, TODO]}\n    message: Do {{ s }}.\n"
    assert excerpts(task(entry), tmp_path, capsys) == [
        ("    message: Do {{ s }}.", "Do {{ s }}."),
    ]


def test_no_credential_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text(task(f"    message: x\n    approvalMode: {TOKEN}\n"))
    for name in ("text", "json"):
        assert run(["-C", str(tmp_path), "validate", "a.yaml", "--format", name]) == 1
        assert TOKEN[4:] not in "".join(capsys.readouterr())


HORSE = "hunter22abc"


@pytest.mark.parametrize(
    "body",
    [
        f"    message: |\n      Use {TOKEN}, TODO why.\n",
        f'    message: "Use \\x67{TOKEN[1:]}. TODO why."\n',
        f'    message: "Use {TOKEN[:20]}\\\n      {TOKEN[20:]}. TODO why."\n',
        '    message: "-----BEGIN RSA PRIVATE KEY-----\\nMIIEow0aB3dE5fG7 TODO"\n',
        "    message: |\n      -----BEGIN PRIVATE KEY-----\n      MIIEow0aB3 TODO\n",
        f'    message: "Log in with {{\\"password\\": \\"{HORSE}\\"}}"\n',
        f'    message: "password:\\t{HORSE}"\n',
        f"    token: {TOKEN}\n",
        f"    password: {HORSE}\n",
        f"    password:        {HORSE}\n",
        f"    password: &anchor !!str {HORSE}\n",
        f"    password: !{HORSE}\n",
        f"    password:\n           {HORSE}: {{}}\n",
        f"    name:\n      password:\n             {HORSE}\n",
        f"    x: '{{''password'': ''{HORSE}''}}'\n",
        f'    x: "\\u0070assword: {HORSE}"\n',
        f'    "p\\x61ssword": {HORSE}\n',
        f'    x: "password: \\\n      {HORSE}"\n',
        f'    x: "pass\\\n      word: {HORSE}"\n',
        f'    x: "{{\\\\\\"password\\\\\\": \\\\\\"{HORSE}\\\\\\"}}"\n',
        f"    x:\n      password:\n{' ' * 5000}{HORSE}\n",
        f"    x: 1 # password: {HORSE}\n",
    ],
)
def test_a_file_with_a_credential_in_any_form_has_no_excerpts(
    body: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert excerpts(task(f"{body}    unknown: {{}}\n"), tmp_path, capsys) == []
    harmless = body.replace(TOKEN, "x").replace(HORSE, "x").replace("PRIVATE KEY", "")
    if harmless != body and TOKEN[20:] not in harmless and TOKEN[1:] not in harmless:
        assert excerpts(task(f"{harmless}    unknown: {{}}\n"), tmp_path, capsys)


@pytest.mark.reaches("TASK_FINDINGS")
@pytest.mark.parametrize("form", ["password: aaaaaa{}", "${{X{}}}", "{{{{ x{} }}}}"])
def test_a_prompt_with_very_many_problems_has_a_few_diagnostics(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = " ".join(form.format(number) for number in range(1000))
    (tmp_path / "a.yaml").write_text(task(f'    message: "{text}"\n'))
    run(["-C", str(tmp_path), "validate", "a.yaml", "--format", "json", "--all-problems"])
    report = json.loads(capsys.readouterr().out)
    assert len(report["diagnostics"]) == limits.TASK_FINDINGS


def test_text_is_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = task('    "##[error]a\u202eb": x\n    message: "::error::"\n    mesage: ##[x]\n')
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    assert run(["-C", str(tmp_path), "validate", "a.yaml"]) == 1
    said = capsys.readouterr().err
    assert "| " in said
    assert commands_in(said) == []
    assert invisible_in(said) <= {"\n"}


def test_only_text_has_excerpts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = task("    message: Do it.\n    unknown: lines-of-the-file\n")
    reports = ["text", "json", "markdown", "github", "sarif", "junit", "html"]
    options = [word for name in reports for word in ("--report", f"{name}={tmp_path}/{name}")]
    assert excerpts(text, tmp_path, capsys, *options)
    for name in reports:
        assert "lines-of-the-file" not in (tmp_path / name).read_text(encoding="utf-8")
        if name != "text":
            assert excerpts(text, tmp_path, capsys, "--format", name) == []


def test_of_other_files_only_the_configuration_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows.json").write_text('["a",, "b"]')
    text = task("    forEach: {s: {file: rows.json}}\n    message: '{{ s }}'\n")
    (shown, _), *more = excerpts(text, tmp_path, capsys)
    assert (shown, more) == ("    forEach: {s: {file: rows.json}}", [])
    (tmp_path / "taskctl.toml").write_text("parallelism = 'x'\n")
    assert excerpts(task("    message: x\n"), tmp_path, capsys) == [("parallelism = 'x'", "'x'")]


def test_a_long_line_is_cut_around_the_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = task(f"    message: {'before ' * 40}TODO {'after ' * 40}\n")
    ((shown, marked),) = excerpts(text, tmp_path, capsys)
    assert marked == "TODO"
    assert (shown[0], shown[-1]) == ("…", "…")
    assert "before TODO after" in shown


TEXT = st.text(st.characters(exclude_characters="\n\r", codec="utf-8"), max_size=150)


@given(TEXT, TEXT, TEXT, st.integers(40, 120), st.integers(1, 9_999_999))
def test_the_mark_is_below_the_part_at_any_width(
    before: str, marked: str, after: str, width: int, line: int
) -> None:
    found = replace(
        error(Code.UNKNOWN_PROPERTY, "top", at=Place("a.yaml", line, 1)),
        excerpt=Excerpt(before, marked, after),
    )
    shown = render_one(found, Style(terminal=True, excerpts=True, width=width))
    source, mark = shown.removesuffix("\n").split("\n")[-2:]
    assert cells.width(source) <= width
    assert cells.width(mark) <= width
    assert set(mark) <= set(" |^")
    if "\u2026" not in source and not commands_in(before + marked + after):
        padded, begin = f"{source}  ", mark.index("^")
        assert begin in {cells.width(padded[:end]) for end in range(len(padded))}
