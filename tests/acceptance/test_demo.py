"""`make demo` in a new checkout, without settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reconciler.manifest.loader import load
from tests.support.checkout import checkout, git
from tests.support.doc_blocks import ROOT, environment, shell

TASKS = load(["examples/tasks"], root=ROOT).tasks
KEYS = {task.key for task in TASKS}
ROWS = {task.key for task in TASKS if task.generated is not None and task.generated.values}
AFTER = {task.key for task in TASKS if task.after}
UPGRADES = {key for key in KEYS if key.startswith("upgrade-")}
SHOWN = (KEYS - ROWS - AFTER) | {key.partition("@")[0] for key in ROWS}
"""A plan shows an entry as one item."""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    folder.mkdir()
    return checkout(folder)


@pytest.mark.tools
def test_the_demo_shows_the_plan_and_creates_each_task_once(clone: Path) -> None:
    """With other shells in tests/tools.sh."""
    home = clone.parent / "home"
    home.mkdir()
    env = environment(home, TASKCTL_STATE="elsewhere.json", PULUMI_ACCESS_TOKEN="pul-of-a-user")
    for _ in range(2):
        ended = shell("sh examples/demo.sh", clone, env)
        assert ended.returncode == 0, ended.stderr
        out = ended.stdout
        assert len(out.splitlines()) <= 60
        assert re.search(rf"^{len(KEYS)} tasks in \d+ files: valid\.$", out, re.M)
        assert set(re.findall(r"^  \+ (\S+) .*tasks/", out, re.M)) == SHOWN
        assert "12 tasks: 2 to create, 10 held" in out
        created = (clone / ".demo" / "apply.txt").read_text(encoding="utf-8")
        assert sorted(re.findall(r"^created (\S+)  task ID ", created, re.M)) == sorted(KEYS)
        assert f"Plan: {len(KEYS) - 11} to create" in out
        assert f"{len(KEYS)} done." in out
        assert f"{len(KEYS)} unchanged" in out
        results, _ = out.split("Try it yourself")
        assert set(re.findall(r"^(upgrade-\S+) +done ", results, re.M)) == UPGRADES
        assert f"\n\n{len(UPGRADES)} done.\n" in results
    assert git(clone, "status", "--porcelain") == ""
    assert not list(home.iterdir())


@pytest.mark.tools
def test_the_demo_explains_how_to_run_it(clone: Path) -> None:
    ended = shell("PATH=/usr/bin:/bin sh examples/demo.sh", clone, environment(clone))
    assert ended.returncode == 1
    assert "make demo" in ended.stderr


@pytest.mark.tools
def test_make_lists_its_targets(clone: Path) -> None:
    ended = shell("make", clone, environment(clone))
    assert ended.returncode == 0, ended.stderr
    listed = set(re.findall(r"^  make (\S+)", ended.stdout, re.M))
    targets = {"demo", "test", "test-tools", "soak", "lint", "types", "format", "bench", "clean"}
    assert targets <= listed


@pytest.mark.tools
def test_make_reports_what_it_installs(clone: Path) -> None:
    ended = shell("make --dry-run demo test", clone, environment(clone))
    assert ended.returncode == 0, ended.stderr
    said = [line for line in ended.stdout.splitlines() if line.startswith("echo 'Installing ")]
    assert len(said) == 2
