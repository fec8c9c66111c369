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

ROWS: dict[str, Callable[[Path], Iterator[Row]]] = {
    "validate-many": validate.many,
    "validate-one": validate.one_file,
    "validate-invalid": validate.invalid,
    "plan-settled": plan.settled,
    "apply-waiting": apply.waiting,
    "apply-hurrying": apply.hurrying,
    "entries": plan.entries,
    "state-apply": state.applied,
    "state-git": state.slow_creates,
    "state-plan": state.planned,
    "plan-growth": plan.growth,
    "status": status.second_look,
    "status-many": status.many,
    "after-a-crash": lookup.after_a_crash,
    "few-in-many": plan.few_in_many,
    "look-alikes": plan.look_alikes,
    "results": results.evaluation,
    "bare-command": validate.bare_command,
}


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
            rows += ROWS[name](Path(folder))
    print(table(rows))
    return int(any(row.verdict == "MISSED" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
