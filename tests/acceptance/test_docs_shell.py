"""Runs every shell block of the README and, in `make test-tools`, of the documentation, in a new
directory for each page.

`taskctl serve` takes the place of Pulumi Cloud. After a change of the output,
`TASKCTL_WRITE_DOCS=1 pytest tests/acceptance/test_docs_shell.py` writes it into the pages.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from reconciler.embedded.scenarios import scenario_of
from tests.support.doc_blocks import (
    NOT_RUN,
    ROOT,
    RUN,
    SERVED,
    at_terminal,
    blocks,
    environment,
    pages,
    shows_what_is_printed,
    write_file,
)
from tests.support.embedded_server import running_server
from tests.support.git_server import bare_repository, git

LEFT_OUT = {
    "README.md": 2,  # the demo and the installation: tested separately
    "docs/ci.md": 2,  # a look-up at the host of taskctl; pre-commit: tested separately
    "docs/github.md": 1,  # workflows of a clone: tests/acceptance/test_cli_init.py
    "docs/configuration.md": 1,  # completion: tested in the shells
    "docs/getting-started.md": 3,  # the installation
    "docs/import.md": 1,  # the other tool
    "docs/policy.md": 1,  # opa: tests/tools_opa.py runs it
    "docs/state.md": 2,  # the installation
    "docs/stop-using-taskctl.md": 1,  # it deletes a ref of a remote
    "docs/walkthrough.md": 2,  # a server: the test starts its own
}
"""Blocks that are not run because they install packages, push, or use other tools."""

SCENARIOS = {"docs/walkthrough.md": scenario_of("by-prompt", 2.0)}
"""Pages whose tasks need a special scenario."""

MANIFEST = "version: 1\norgName: acme\ntasks:\n  scratch:\n    message: Do it.\n"
ELSEWHERE = ["docs/contributing/exactly-once.md"]
"""Pages with a separate test: tests/acceptance/test_lost_runner.py."""

IN_CLONE = ["docs/state.md", "docs/ci.md"]
"""Pages whose commands run in a clone."""

WITH_SHELL = [
    page
    for page in pages()
    if page not in ELSEWHERE and any(block.language in RUN for block in blocks(page))
]


@pytest.mark.parametrize(
    "page",
    [pytest.param(p, marks=() if p == "README.md" else pytest.mark.tools) for p in WITH_SHELL],
)
def test_the_commands_of_a_page_print_what_it_shows(page: str, tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    if not any(b.text.startswith("# tasks/") for b in blocks(page)):
        (tmp_path / "tasks" / "scratch.yaml").write_text(MANIFEST)
    if page in IN_CLONE:
        bare_repository(tmp_path, "team")
        for words in (["init", "-q"], ["remote", "add", "origin", str(tmp_path / "team.git")]):
            git(tmp_path, *words)
    with running_server(tmp_path / "cloud.db", scenario=SCENARIOS.get(page)) as url:
        env = environment(tmp_path, PULUMI_BACKEND_URL=url, PULUMI_ACCESS_TOKEN="pul-scratch")
        for block in blocks(page):
            write_file(block, tmp_path)
            if block.language == "sh":
                code, out, shown = at_terminal(block.text, tmp_path, env)
                assert code == 0, f"{block.text}\n{out}\n{shown}"
            elif block.language == "console":
                shows_what_is_printed(page, block, tmp_path, env)


def test_pages_show_the_address_that_a_reader_sees() -> None:
    texts = {page: (ROOT / page).read_text(encoding="utf-8") for page in pages()}
    shown = {page: set(re.findall(r"127\.0\.0\.1:\d+", text)) for page, text in texts.items()}
    assert {page: found for page, found in shown.items() if found - {SERVED}} == {}


def test_blocks_that_are_not_run_are_listed() -> None:
    """Blocks that are not run are marked as `shell`, and each has a reason here."""
    found = Counter(p for p in pages() for b in blocks(p) if b.language == NOT_RUN)
    assert found == LEFT_OUT
    others = {b.language for p in pages() for b in blocks(p)} - {*RUN, NOT_RUN}
    assert others <= {"yaml", "yml", "json", "text", "toml", "diff", "rego"}
