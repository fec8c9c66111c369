"""Measures all rows, or the named ones, and prints the table.

    python -m bench [ROW]...

Exit code 1 if a row misses its required minimum.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import apply, lookup, plan, results, state, status, validate
from bench.table import Row, table

Rows = Callable[[Path], Iterator[Row]]

ROWS: dict[str, tuple[Rows, str]] = {
    "validate-many": (
        validate.many,
        "other manifests than these; Windows and macOS; a machine that does other work",
    ),
    "validate-one": (
        validate.one_file,
        "the start of pre-commit, or an interpreter whose files are not cached yet",
    ),
    "validate-invalid": (
        validate.invalid,
        "errors in YAML itself, in data files, or in generated tasks",
    ),
    "fmt": (
        validate.formatting,
        "files that change, which are read twice; comments; other formatters",
    ),
    "plan-settled": (
        plan.settled,
        "the latency of the service, which answers at once",
    ),
    "apply-waiting": (
        apply.waiting,
        "lost responses, rate limits, and the time that agents take",
    ),
    "apply-hurrying": (
        apply.hurrying,
        "a service with latency: the CPU is the limit here only",
    ),
    "entries": (
        plan.entries,
        "entries with `every` or `rollout`, and data in JSON",
    ),
    "state-apply": (
        state.applied,
        "the engines' real latency, which varies, and their limits of writes",
    ),
    "state-git": (
        state.slow_creates,
        "hosts of git with hooks, or with a large repository",
    ),
    "state-plan": (
        state.planned,
        "a state far away: the server is on this machine",
    ),
    "state-list": (
        state.listed,
        "shared states",
    ),
    "plan-growth": (
        plan.growth,
        "sizes above the largest, and tasks with long prompts",
    ),
    "status": (
        status.second_look,
        "tasks that run or wait, whose events are read each time",
    ),
    "status-many": (
        status.many,
        "the latency of the service, which decides how long a first look takes",
    ),
    "import": (
        status.imported,
        "long conversations, Pulumi programs, and names that agents gave",
    ),
    "after-a-crash": (
        lookup.after_a_crash,
        "the settle time, which an apply waits for",
    ),
    "few-in-many": (
        plan.few_in_many,
        "tasks that are not visible to the user",
    ),
    "look-alikes": (
        plan.look_alikes,
        "prompts that differ only in entities",
    ),
    "results": (
        results.evaluation,
        "reading manifests, schemas and answers: everything is in memory",
    ),
    "bare-command": (
        validate.bare_command,
        "commands that read something",
    ),
}
"""The rows by name, and what they do not show."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of: {', '.join(ROWS)}")
    given = parser.parse_args()
    names = given.rows or list(ROWS)
    if unknown := [name for name in names if name not in ROWS]:
        parser.error(f"there is no row {unknown[0]!r}")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="taskctl-bench-") as folder:
        for name in names:
            print(f"{name} ...", file=sys.stderr, flush=True)
            found = list(ROWS[name][0](Path(folder)))
            print(table(found), file=sys.stderr, flush=True)
            rows += found
    print(table(rows))
    print("\nNot shown:\n")
    for name in names:
        print(f"- {name}: {ROWS[name][1]}")
    return int(any(row.verdict == "MISSED" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
