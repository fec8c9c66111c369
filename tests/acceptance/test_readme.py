"""The first screen of the README; test_docs_shell.py runs its commands."""

from __future__ import annotations

import re

import pytest

from tests.support.doc_blocks import ROOT

SCREEN = 40
MAX_WORDS = 1000


def test_the_first_screen_describes_taskctl_and_its_installation() -> None:
    """The commands of a checkout come first: they work as they stand."""
    screen = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:SCREEN]
    assert screen.index("## Try it") < screen.index("## Install")
    for needed in (
        "https://www.pulumi.com/docs/ai/neo/",
        "docs/images/plan-and-apply.svg",
        "make demo",
        "make test",
        "uv tool install git+https://",
        "pipx install git+https://",
        "pip install git+https://",
        "docs/ci.md#pre-commit",
    ):
        assert any(needed in line for line in screen), needed


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= MAX_WORDS


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("plan-and-apply", "docs/index.md"),
        ("results", "README.md"),
        ("key", "docs/exactly-once.md"),
        ("rollout", "docs/many-tasks.md"),
    ],
)
def test_a_picture_loads_nothing_and_links_to_nothing(name: str, page: str) -> None:
    """test_generated_pages_are_up_to_date compares it with the output of the commands."""
    assert f"images/{name}.svg" in (ROOT / page).read_text(encoding="utf-8")
    svg = (ROOT / f"docs/images/{name}.svg").read_text(encoding="utf-8")
    assert re.findall(r"https?://[^\"\s<]+", svg) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"<script|<image|<a\b|@import|@font-face|href=", svg)
    assert set(re.findall(r"url\(([^)]*)", svg)) == set(re.findall(r"url\((#[^)]*)", svg))
