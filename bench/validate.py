"""`validate` and the bare command beside check-jsonschema and click."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.manifests import write_manifest
from bench.measure import BIN, PYTHON, ROOT, Command, seconds, spread, take_turns, taskctl
from bench.table import Row

SCHEMA = ROOT / "schemas" / "manifest.schema.json"


def many(folder: Path) -> Iterator[Row]:
    """10,000 tasks in one file of 4.3 MB."""
    file = folder / "many.yaml"
    write_manifest(file, 10_000)
    yield _against_check_jsonschema("`validate`, 10,000 tasks", file, 6, 8, rounds=7)


def one_file(folder: Path) -> Iterator[Row]:
    """What a pre-commit hook does."""
    file = folder / "small.yaml"
    write_manifest(file, 3)
    yield _against_check_jsonschema("`validate`, one small file", file, 2, 2.5, rounds=21)


def bare_command(_folder: Path) -> Iterator[Row]:
    """`--help` and `--version` beside what click itself takes."""
    click = Command((PYTHON, "-c", "import click"))
    for flag in ("--help", "--version"):
        ours, theirs = take_turns([taskctl(flag), click], rounds=31)
        yield Row(
            f'`{flag}`, against `python -c "import click"`',
            seconds(ours) / seconds(theirs),
            2,
            1.5,
            "x",
            f"{_ms(seconds(ours))}, {_ms(seconds(theirs))}; {spread(ours, theirs)}",
            smaller=True,
        )


def _against_check_jsonschema(
    what: str, file: Path, at_least: float, aim: float, rounds: int
) -> Row:
    ours = taskctl("validate", str(file))
    theirs = Command((str(BIN / "check-jsonschema"), "--schemafile", str(SCHEMA), str(file)))
    mine, peers = take_turns([ours, theirs], rounds)
    ratio = seconds(peers) / seconds(mine)
    medians = f"{_ms(seconds(mine))}, check-jsonschema {_ms(seconds(peers))}; {spread(peers, mine)}"
    return Row(what, ratio, at_least, aim, "x", medians)


def _ms(value: float) -> str:
    return f"{value * 1000:.0f} ms"
