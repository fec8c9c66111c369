"""The git engine in clones with unusual settings, and next to refs that somebody else wrote."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import process_time

import pytest

from reconciler.model import limits
from reconciler.state.engines import BlobRoom, Denied, Engine, Oversized, Unsure
from reconciler.state.engines.git_clone import git_fault
from tests.support.git_server import git
from tests.support.hostile_git import hostile_host, large_object, write_ref
from tests.support.state_engines import Runner, Served, serving


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving("git", tmp_path) as server:
        yield server


@pytest.fixture
def here(served: Served) -> Runner:
    return served.runner("x")


@pytest.fixture
def bare(served: Served) -> Path:
    return served.folder / "team.git"


def swapped_twice(engine: Engine) -> None:
    """Creates and replaces the head, and reads it back."""
    with closing(engine):
        assert engine.read() is None
        version = engine.swap(b"first", None)
        assert engine.read() == (b"first", version)
        version = engine.swap(b"second", version)
        assert engine.read() == (b"second", version)


@pytest.mark.parametrize("kind", ["heads", "tags"])
@pytest.mark.parametrize("exists", [False, True])
def test_a_branch_or_tag_that_ends_with_the_name_of_the_ref_is_named(
    here: Runner, bare: Path, kind: str, *, exists: bool
) -> None:
    """Git matches the end of a name, so anyone who may push a branch could shadow the state."""
    with closing(here.engine()) as engine:
        if exists:
            engine.swap(b"head", None)
        shadow = f"refs/{kind}/refs/taskctl/state/x"
        git(bare, "update-ref", shadow, "main")
        with pytest.raises(Denied, match=shadow):
            engine.read()
        git(bare, "update-ref", "-d", shadow)
        assert (engine.read() is not None) == exists


@pytest.mark.parametrize(
    "setting",
    ["push.gpgSign", "remote.origin.mirror", "push.followTags", "push.default", "push.pushOption"],
)
def test_settings_for_the_users_own_pushes_do_not_apply(here: Runner, setting: str) -> None:
    value = {"push.default": "nothing", "push.pushOption": "ci.skip"}.get(setting, "true")
    git(here.folder, "config", setting, value)
    swapped_twice(here.engine())


def test_reads_go_where_writes_go(here: Runner, served: Served) -> None:
    """The remote fetches from a mirror that lags behind."""
    git(served.folder, "clone", "-q", "--mirror", "team.git", "mirror.git")
    pushed = git(here.folder, "remote", "get-url", "origin").strip()
    git(here.folder, "remote", "set-url", "origin", str(served.folder / "mirror.git"))
    git(here.folder, "remote", "set-url", "--push", "origin", pushed)
    swapped_twice(here.engine())


def test_several_urls_for_pushes_are_refused(here: Runner) -> None:
    for url in ("https://one.example", "https://two.example"):
        git(here.folder, "remote", "set-url", "--add", "--push", "origin", url)
    with pytest.raises(Denied, match="several URLs"):
        here.engine()


@pytest.mark.parametrize("name", [b"new\nline", b"latin\xe9", b"a:b", b'"quoted"'])
def test_repositories_and_remotes_with_unusual_paths(
    tmp_path: Path, served: Served, here: Runner, bare: Path, name: bytes
) -> None:
    """Git prints the absolute path of the repository in a worktree."""
    folder = tmp_path / os.fsdecode(name)
    folder.mkdir()
    remote = bare.rename(folder / "team.git") if b"\n" not in name else bare
    git(here.folder, "remote", "set-url", "origin", str(remote))
    clone = here.folder.rename(folder / "clone")
    git(clone, "worktree", "add", "-q", "../worktree")
    swapped_twice(Runner(folder / "worktree", here.address, here.env).engine())


@pytest.mark.parametrize("fetched", ["+refs/*:refs/*", "+refs/heads/*:refs/remotes/origin/*"])
def test_no_ref_of_the_clone_names_a_commit_that_it_lacks(
    served: Served, here: Runner, fetched: str
) -> None:
    address = "git:origin#refs/heads/state"
    git(here.folder, "config", "--replace-all", "remote.origin.fetch", fetched)
    before = git(here.folder, "for-each-ref")
    swapped_twice(Runner(here.folder, address, here.env).engine())
    other = served.runner("x")
    git(other.folder, "config", "--replace-all", "remote.origin.fetch", fetched)
    with closing(Runner(other.folder, address, other.env).engine()) as reader:
        assert reader.read() is not None
    for folder in (here.folder, other.folder):
        assert git(folder, "for-each-ref") == before


@pytest.mark.parametrize(
    ("setting", "value"), [("url.nothing://.insteadOf", "http://"), ("http.lowSpeedLimit", "x")]
)
def test_a_setting_that_git_cannot_use_is_not_retried(
    here: Runner, setting: str, value: str
) -> None:
    git(here.folder, "config", setting, value)
    with pytest.raises(Denied) as refused, closing(here.engine()) as engine:
        engine.read()
    assert refused.value.cause == "repository"


def test_programs_of_git_get_no_secrets(
    here: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"
    script = tmp_path / "transport"
    script.write_text(f"#!/bin/sh\nenv >{seen}\n")
    script.chmod(0o755)
    git(here.folder, "config", "protocol.ext.allow", "always")
    git(here.folder, "remote", "set-url", "origin", f"ext::{script}")
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "s3cr3t-token")
    monkeypatch.setenv("TASKCTL_SERVE_TOKEN", "s3cr3t-key")
    with closing(here.engine()) as engine, pytest.raises((Unsure, Denied)):
        engine.read()
    assert "s3cr3t" not in seen.read_text()
    assert "PATH=" in seen.read_text()


def test_an_oversized_head_or_blob_is_not_read(
    here: Runner, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STATE_PART_BYTES", 8 << 20)
    small, large, huge = (large_object(bare, size) for size in (1, 5, 9))
    with closing(here.engine()) as engine:
        write_ref(bare, {"head": large})
        with pytest.raises(Oversized, match="at most 4194304"):
            engine.read()
        write_ref(bare, {"head": small, "base": large, "segment": huge})
        assert engine.read() is not None
        assert len(engine.get_blob("base", BlobRoom())) == 5 * 2**20
        with pytest.raises(Oversized, match="at most 8388608"):
            engine.get_blob("segment", BlobRoom())


def test_all_blobs_of_a_read_are_counted_before_they_are_read(
    here: Runner, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One object with many names is small to store and to download."""
    small, large = large_object(bare, 1), large_object(bare, 5)
    write_ref(bare, {"head": small, "a": large, "b": large})
    with closing(here.engine()) as engine:
        assert engine.read() is not None
        monkeypatch.setattr(limits, "STATE_BYTES", 9 << 20)
        room = BlobRoom()
        assert len(engine.get_blob("a", room)) == 5 << 20
        assert len(engine.get_blob("a", room)) == 5 << 20  # a second try
        with pytest.raises(Oversized, match="10485760 bytes; at most 9437184"):
            engine.get_blob("b", room)


def test_a_tree_that_no_state_has_is_not_listed(
    here: Runner, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STATE_TREE_BYTES", 1 << 20)
    blob = large_object(bare, 1)
    write_ref(bare, {"head": blob, **{f"{n:06}": blob for n in range(40_000)}})
    with closing(here.engine()) as engine, pytest.raises(Oversized) as refused:
        engine.read()
    assert refused.value.part == "tree"


def test_a_download_that_no_state_needs_is_stopped(
    here: Runner, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "noise").write_bytes(os.urandom(200_000))
    noise = git(bare, "hash-object", "-w", str(tmp_path / "noise")).strip()
    write_ref(bare, {"head": large_object(bare, 1), "base": noise})
    with closing(here.engine()) as engine:
        assert engine.read() is not None
    monkeypatch.setattr(limits, "STATE_FETCH_BYTES", 100_000)
    with closing(here.engine()) as engine, pytest.raises(Oversized) as refused:
        engine.read()
    assert refused.value.part == "pack"


def test_an_object_that_no_state_has_is_not_unpacked(
    here: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "GIT_OBJECT_BYTES", 64 << 20)
    with hostile_host(65 << 20) as url:
        git(here.folder, "remote", "set-url", "origin", url)
        with closing(here.engine()) as engine, pytest.raises(Unsure, match="over limit"):
            engine.read()


def test_the_remedy_of_git_is_shown_for_a_clone_of_another_user(here: Runner) -> None:
    words = ["state", "init", here.address, "--backend", "local"]
    done = subprocess.run(
        [sys.executable, "-m", "reconciler", *words],
        cwd=here.folder,
        env={**os.environ, **here.env, "GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "[TC875]" in done.stderr
    assert f"git config --global --add safe.directory {here.folder}" in done.stderr


def test_what_a_host_says_is_searched_once() -> None:
    before = process_time()
    for text in ("Permission to ", "repository ", "a" * 11):
        assert str(git_fault(text.encode() * 100_000))
    assert process_time() - before < 5
