"""The README of the benchmarks shows what `make bench` measures, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from bench.__main__ import ROWS

PAGE = Path(__file__).resolve().parents[2] / "bench" / "README.md"


def test_the_page_has_every_row_of_the_benchmark() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## Compared")[2].partition("\n## ")[0]
    shown = re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE)
    assert list(dict.fromkeys(shown)) == list(ROWS)
    rows = re.findall(r"^\| .*$", section, re.MULTILINE)
    assert {row.count("|") for row in rows} == {8}, "a row lacks a cell"
