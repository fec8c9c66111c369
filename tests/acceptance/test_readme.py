"""The README says what counts at once; that what it shows is so, test_docs_shell.py tells."""

from __future__ import annotations

from pathlib import Path


def test_it_tells_all_of_it_on_the_first_screen() -> None:
    text = Path("README.md").read_text(encoding="utf-8")
    screen = text.splitlines()[:75]
    for needed in ("make demo", "$ taskctl plan", "$ taskctl apply", "version: 1"):
        assert any(needed in line for line in screen), needed
