"""The README of the benchmarks shows what `make bench` measures, and nothing else. Each limit is
measured by a test that reaches it."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.__main__ import ROWS
from bench.limits import LIMITS
from tools import limits_page

TESTS = Path(__file__).resolve().parents[1]
PAGE = Path(__file__).resolve().parents[2] / "bench" / "README.md"


def test_the_page_has_every_row_of_the_benchmark() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## Compared")[2].partition("\n## ")[0]
    shown = re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE)
    assert list(dict.fromkeys(shown)) == list(ROWS)
    rows = re.findall(r"^\| .*$", section, re.MULTILINE)
    assert {row.count("|") for row in rows} == {8}, "a row lacks a cell"


MODULES = [
    path.stem
    for path in (TESTS / "acceptance").glob("test_*.py")
    if "mark.reaches" in path.read_text(encoding="utf-8")
]
NOT_REACHED = {"DEFAULT_PARALLELISM"}
"""No input exceeds a default."""


def reached(marks: Iterable[Any]) -> Iterator[str]:
    """The limits that these marks of a test name, also those of its parameters."""
    for mark in marks:
        if mark.name == "reaches":
            yield from mark.args
        elif mark.name == "parametrize":
            for parameters in mark.args[1]:
                yield from reached(getattr(parameters, "marks", ()))


def test_each_limit_is_reached_by_a_test_that_measures_it() -> None:
    modules = [import_module(f"tests.acceptance.{name}") for name in MODULES]
    tests = [value for module in modules for value in vars(module).values()]
    names = {name for test in tests for name in reached(getattr(test, "pytestmark", ()))}
    assert names == LIMITS.keys() - NOT_REACHED


def test_each_limit_stands_on_the_page() -> None:
    used = {
        node.attr
        for node in ast.walk(ast.parse(inspect.getsource(limits_page)))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        if node.value.id == "limits"
    }
    assert used - {"MIB"} == LIMITS.keys() - NOT_REACHED
