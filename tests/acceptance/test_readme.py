"""The first screen of the README; test_docs_shell.py runs its commands."""

from __future__ import annotations

import re

from tests.support.doc_blocks import ROOT

SCREEN = 70


def test_the_first_screen_describes_taskctl_and_its_installation() -> None:
    screen = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:SCREEN]
    for needed in (
        "https://www.pulumi.com/docs/ai/neo/",
        "docs/images/plan-and-apply.svg",
        "make demo",
        "make test",
        "uv tool install git+https://",
        "pipx install git+https://",
        "pip install git+https://",
        "- id: taskctl-validate",
    ):
        assert any(needed in line for line in screen), needed


def test_the_picture_loads_nothing_and_links_to_nothing() -> None:
    """test_generated_pages_are_up_to_date compares it with the output of the commands."""
    svg = (ROOT / "docs/images/plan-and-apply.svg").read_text(encoding="utf-8")
    assert re.findall(r"https?://[^\"\s<]+", svg) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"<script|<image|<a\b|@import|@font-face|href=", svg)
    assert set(re.findall(r"url\(([^)]*)", svg)) == set(re.findall(r"url\((#[^)]*)", svg))
