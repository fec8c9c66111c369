"""Cached data about existing tasks never comes from the repository."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from tests.support.in_process import TEXTS, InProcess
from tests.support.sandbox import STATE, as_tasks


def _fake(text: str) -> str:
    """A cache in which every first message is another one."""
    content = json.loads(text)
    for entry in content["entries"].values():
        entry["reference"] = None
    return json.dumps(content)


def _names(here: InProcess, cached: Path) -> tuple[str, ...]:
    """The name of the cache, and that of earlier versions."""
    digest = hashlib.sha256(here.server.url.encode()).hexdigest()[:12]
    return cached.name, f"first-messages-{digest}.json"


@pytest.fixture
def cached(here: InProcess) -> Path:
    """The cache of the first messages of four tasks that an older state lacks."""
    here.sandbox.write(as_tasks({"last": "do more"}))
    assert here.run("apply").code == 0
    older = (here.sandbox.folder / STATE).read_bytes()
    here.sandbox.write(as_tasks(TEXTS))
    assert here.run("apply").code == 0
    (here.sandbox.folder / STATE).write_bytes(older)
    for task in here.server.world.tasks:
        task.shown["createdAt"] = "2026-11-01T00:00:00Z"  # a young task may still change
    assert set(here.run("plan").actions().values()) == {"adopt", "orphaned"}
    (found,) = here.sandbox.cache.glob("first-messages-*.json")
    return found


def test_a_cache_in_the_repository_is_not_read(
    here: InProcess, cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = here.sandbox.folder
    shutil.copytree(repository, repository / ".git" / "nothing")
    fake = _fake(cached.read_text())
    for folder in (".taskctl", "cache", "cache/taskctl", ".cache/taskctl"):
        (repository / folder).mkdir(parents=True, mode=0o700)
        for name in _names(here, cached):
            (repository / folder / name).write_text(fake)
            (repository / folder / name).chmod(0o600)
    before = len(here.server.posts)
    for chosen in (
        {},
        {"TASKCTL_CACHE_DIR": str(repository / "cache")},
        {"TASKCTL_CACHE_DIR": "", "XDG_CACHE_HOME": str(repository / "cache")},
        {"TASKCTL_CACHE_DIR": "", "XDG_CACHE_HOME": "", "HOME": str(repository)},
        {"TASKCTL_CACHE_DIR": "cache"},
    ):
        with monkeypatch.context() as patched:
            for name, value in chosen.items():
                patched.setenv(name, value)
            assert set(here.run("plan").actions().values()) == {"adopt", "orphaned"}, chosen
    assert here.run("apply").code == 0
    assert len(here.server.posts) == before == len(TEXTS) + 1


def test_the_cache_is_read_where_it_belongs(here: InProcess, cached: Path) -> None:
    """The test above would pass if nothing were ever read."""
    cached.write_text(_fake(cached.read_text()))
    assert set(here.run("plan").actions().values()) == {"create", "orphaned"}


def test_a_directory_that_others_may_read_has_a_private_one(
    here: InProcess, cached: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    base = tmp_path / "made-by-mkdir"
    base.mkdir(mode=0o755)
    monkeypatch.setenv("TASKCTL_CACHE_DIR", str(base))
    assert "cache: none" not in here.run("plan", "-v").stderr
    assert (base / "taskctl").stat().st_mode & 0o777 == 0o700
    assert (base / "taskctl" / cached.name).exists()


def test_an_unusable_cache_is_named_with_v(
    here: InProcess, cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached.parent.chmod(0o755)
    ended = here.run("plan", "-v")
    assert "cache: none" in ended.stderr
    assert set(ended.actions().values()) == {"adopt", "orphaned"}
    monkeypatch.setenv("TASKCTL_CACHE_DIR", str(cached.parent / "another"))
    assert "cache: none" not in here.run("plan", "-v").stderr
