"""Prints what a command takes that reaches a limit, from the tests that reach it:

    python -m bench.limits [PYTEST OPTION]...

The memory is that beyond the imports. Limits that no test reaches are listed last.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from bench.measure import ROOT
from reconciler.model import limits
from tests.support.measured import MEASURED

LIMITS = {name: value for name, value in vars(limits).items() if name.isupper() and name != "MIB"}


class Measurements:
    """A plugin of pytest that collects what each test measured."""

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        result = yield
        reached = {str(name) for mark in item.iter_markers("reaches") for name in mark.args}
        test = f"{Path(item.path).name}::{item.name}"
        for kind, measured in item.user_properties:
            if kind == MEASURED and isinstance(measured, tuple):
                self.rows += [(name, *measured, test) for name in reached]
        return result


def main() -> int:
    measurements = Measurements()
    given = ["-m", "reaches", "-n", "0", *sys.argv[1:], str(ROOT / "tests" / "acceptance")]
    code = pytest.main(given, plugins=[measurements])
    print("| limit | value | command | CPU seconds | MiB | test |\n" + "| --- " * 6 + "|")
    for name, command, seconds, mib, test in sorted(measurements.rows):
        print(f"| {name} | {LIMITS[name]:,} | {command} | {seconds:.1f} | {mib} | {test} |")
    missing = sorted(LIMITS.keys() - {row[0] for row in measurements.rows})
    print(f"\nNot reached: {', '.join(missing) or 'none'}")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
