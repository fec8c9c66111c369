"""`validate` and the bare command, compared with check-jsonschema, ajv-cli and click."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from pathlib import Path

from bench.manifests import write_manifest
from bench.measure import (
    BIN,
    PEERS,
    PYTHON,
    ROOT,
    Command,
    Ran,
    run,
    seconds,
    spread,
    take_turns,
    taskctl,
)
from bench.table import Row
from reconciler.render import FORMATS

SCHEMA = ROOT / "schemas" / "manifest.schema.json"


def many(folder: Path) -> Iterator[Row]:
    """10,000 tasks in one file of 4.3 MB."""
    file = folder / "many.yaml"
    write_manifest(file, 10_000)
    yield from _against_peers("`validate`, 10,000 tasks", file, 6, 8, rounds=7)


def one_file(folder: Path) -> Iterator[Row]:
    """One changed file, as in a pre-commit hook."""
    file = folder / "small.yaml"
    write_manifest(file, 3)
    yield from _against_peers("`validate`, one small file", file, 2, 2.5, rounds=21)
    yield _against_click(["validate", str(file)], "`validate`, one small file", 3, 2.6)


def invalid(folder: Path) -> Iterator[Row]:
    """10,000 tasks with an error each, compared with jsonschema, which finds all of them; also in
    the slowest format. One error, and as many warnings, compared with none."""
    count = 10_000
    valid, wrong, one, warned = (folder / f"{name}.yaml" for name in ("a", "b", "c", "d"))
    write_manifest(valid, count)
    write_manifest(wrong, count, change=_broken)
    write_manifest(one, count, change=lambda task, n: _broken(task, n) if n == 5_000 else task)
    write_manifest(warned, count, change=_warned)
    peer = Command((PYTHON, "-m", "bench.bare_schema", str(SCHEMA), str(wrong)), codes=(1,))
    ours, theirs = take_turns([_validate(wrong), peer], rounds=5)
    what = "`validate`, 10,000 invalid tasks, against jsonschema alone"
    yield _ratio(what, ours, theirs, 1.2, 1)
    slowest = max(FORMATS, key=lambda name: run(_validate(wrong, name)).cpu)
    ours, theirs = take_turns([_validate(wrong, slowest), peer], rounds=5)
    yield _ratio(f"the same, the slowest format ({slowest})", ours, theirs, 1.2, 1)
    for file, problem in ((one, "one invalid task"), (warned, "a warning for each")):
        bad, good = take_turns([_validate(file), _validate(valid)], rounds=5)
        what = f"`validate`, 10,000 tasks with {problem}, against none"
        yield _ratio(what, bad, good, 3, 2)


def _validate(file: Path, shown: str = "text") -> Command:
    return taskctl("validate", "--format", shown, str(file), codes=(0, 1))


def _broken(task: str, number: int) -> str:
    """The task with one of five errors."""
    before, after = (
        ("planMode: true", "planMode: on"),
        ("approvalMode: auto", f"approvalMode: auto{number}"),
        ("planMode: true", f"planMode{number}: true"),
        ("type: stack, ", ""),
        ("  job-", "  Job-"),
    )[number % 5]
    return task.replace(before, after, 1)


def _warned(task: str, _number: int) -> str:
    """The task with a suspected credential in its prompt."""
    return task.replace("change nothing in prod", "log in with password=Zq38rjWx")


def _ratio(what: str, ours: list[Ran], theirs: list[Ran], at_most: float, aim: float) -> Row:
    medians = f"{seconds(ours):.1f} s, {seconds(theirs):.1f} s; {spread(ours, theirs)}"
    return Row(what, seconds(ours) / seconds(theirs), at_most, aim, "x", medians, smaller=True)


def formatting(folder: Path) -> Iterator[Row]:
    """`fmt --check` of 10,000 formatted tasks."""
    file = folder / "formatted.yaml"
    write_manifest(file, 10_000)
    run(taskctl("fmt", str(file)))
    ours, theirs = take_turns([taskctl("fmt", "--check", str(file)), _validate(file)], rounds=5)
    yield _ratio("`fmt --check`, 10,000 tasks, against `validate`", ours, theirs, 3, 2.75)


def bare_command(_folder: Path) -> Iterator[Row]:
    """`--help` and `--version`, compared with click alone."""
    for flag in ("--help", "--version"):
        yield _against_click([flag], f"`{flag}`", 2, 1.5)


def _against_click(words: list[str], what: str, at_most: float, aim: float) -> Row:
    click = Command((PYTHON, "-c", "import click"))
    ours, theirs = take_turns([taskctl(*words), click], rounds=31)
    return Row(
        f'{what}, against `python -c "import click"`',
        seconds(ours) / seconds(theirs),
        at_most,
        aim,
        "x",
        f"{_ms(seconds(ours))}, {_ms(seconds(theirs))}; {spread(ours, theirs)}",
        smaller=True,
    )


def _against_peers(
    what: str, file: Path, at_least: float, aim: float, rounds: int
) -> Iterator[Row]:
    """check-jsonschema as pip installs it and with our C parser, and ajv-cli, if npm is there: it
    only says whether the file is valid."""
    check = ("--schemafile", str(SCHEMA), str(file))
    ajv = ("validate", "--spec=draft7", "--strict=false", "-s", str(SCHEMA), "-d", str(file))
    peers = {
        "check-jsonschema": (PEERS / "bin" / "check-jsonschema", check, (at_least, aim)),
        "check-jsonschema with a C parser": (BIN / "check-jsonschema", check, (at_least, aim)),
        "ajv-cli": (PEERS / "node" / "node_modules" / ".bin" / "ajv", ajv, (inf, inf)),
    }
    commands = {
        name: Command((str(program), *words))
        for name, (program, words, _) in peers.items()
        if program.exists()
    }
    mine, *others = take_turns([taskctl("validate", str(file)), *commands.values()], rounds)
    for name, theirs in zip(commands, others, strict=True):
        medians = f"{_ms(seconds(mine))}, {_ms(seconds(theirs))}; {spread(theirs, mine)}"
        ratio = seconds(theirs) / seconds(mine)
        yield Row(f"{what}, against {name}", ratio, *peers[name][2], "x", medians)


def _ms(value: float) -> str:
    return f"{value * 1000:.0f} ms"
