"""Encryption at rest through the command line, on each kind of engine: no prompt can be found where
the state is stored, keys can be changed, and nothing is read that should be encrypted."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from reconciler.cli.main import run
from reconciler.model.codes import Code
from reconciler.state import encryption
from reconciler.state.engines import BlobRoom, open_engine
from tests.support.git_server import git
from tests.support.shared_places import EACH_PLACE, PLACES, SharedPlace
from tests.support.state_engines import Parts

KEY, NEWER = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
PHRASE = "correct horse battery staple"
PROMPT = "Do the first thing"
VARIABLES = ("KEY", "PASSPHRASE", "OLD_KEYS")


@pytest.fixture(autouse=True)
def _quick_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(encryption.SCRYPT, "n", 2)


@pytest.fixture(scope="module", params=EACH_PLACE)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SharedPlace]:
    with PLACES[request.param](tmp_path_factory.mktemp(request.param)) as made:
        yield made


@dataclass
class Team:
    """A folder with two tasks, whose state is at `address`."""

    address: str
    folder: Path
    patch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def keys(self, **given: str) -> None:
        for name in VARIABLES:
            self.patch.delenv(f"TASKCTL_STATE_{name}", raising=False)
        for name, value in given.items():
            self.patch.setenv(f"TASKCTL_STATE_{name.upper()}", value)

    def must(self, *words: str) -> str:
        self.capsys.readouterr()
        code = run(words)
        out, said = self.capsys.readouterr()
        assert code == 0, said
        return out

    def refused(self, *words: str) -> tuple[str, str]:
        """The code of the only problem, and its first line."""
        self.capsys.readouterr()
        code = run([*words, "--format", "json"])
        (found,) = json.loads(self.capsys.readouterr().out)["diagnostics"]
        assert code == 1
        return found["code"], found["summary"]

    def stored(self) -> dict[str, bytes]:
        """Everything that the head names, and the head."""
        with closing(open_engine(self.address, os.environ, self.folder)) as engine:
            found = engine.read()
            assert found is not None
            head = json.loads(found[0])
            names = [head["base"], *head.get("bases", ()), *head.get("segments", ())]
            return {"head": found[0]} | {n: bytes(engine.get_blob(n, BlobRoom())) for n in names}


@pytest.fixture
def here(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> Callable[[SharedPlace], Team]:
    """A new team with a state at this place."""

    def made(place: SharedPlace) -> Team:
        name = f"state-{abs(hash(request.node.name))}"
        runner = place.runner(name, name, f"local:{tmp_path}/service.db")
        monkeypatch.chdir(runner.folder)
        for variable, value in runner.env.items():
            monkeypatch.setenv(variable, value)
        return Team(place.address(name), runner.folder, monkeypatch, capsys)

    return made


@pytest.fixture
def team(place: SharedPlace, here: Callable[[SharedPlace], Team]) -> Team:
    return here(place)


def test_the_stored_state_contains_no_prompt(team: Team) -> None:
    team.keys(key=KEY)
    team.must("state", "init", "--new")
    assert "2 created" in team.must("apply", "--yes")
    stored = team.stored()
    assert not any(PROMPT.encode() in data for data in stored.values())
    head = json.loads(stored["head"])
    assert (head["serial"], "epoch" in head) == (1, True)
    assert "0 to create" in team.must("plan")
    assert PROMPT in team.must("state", "pull")


def test_the_next_apply_rewrites_the_state_with_a_new_key(team: Team) -> None:
    """First without encryption, then with a key, a newer key, a passphrase, and without again."""
    team.must("state", "init", "--new")
    team.must("apply", "--yes")
    assert any(PROMPT.encode() in data for data in team.stored().values())
    before = json.loads(team.stored()["head"])["serial"]
    old = "none"
    for given in ({"key": KEY}, {"key": NEWER}, {"passphrase": PHRASE}):
        team.keys(**given)
        assert team.refused("plan")[0] in (Code.STATE_NOT_ENCRYPTED, Code.STATE_KEY_WRONG)
        team.keys(**given, old_keys=f"never-used-for-anything\n{old}")
        assert "2 unchanged" in team.must("plan")
        assert "0 created" in team.must("apply", "--yes")
        team.keys(**given)
        assert "2 unchanged" in team.must("plan")
        assert not any(PROMPT.encode() in data for data in team.stored().values())
        old = next(iter(given.values()))
    team.keys(key="none", old_keys=old)
    team.must("apply", "--yes")
    team.keys()
    assert "2 unchanged" in team.must("plan")
    assert json.loads(team.stored()["head"])["serial"] == before


def test_a_wrong_or_missing_key_is_an_error_instead_of_an_empty_state(team: Team) -> None:
    team.keys(key=KEY)
    team.must("state", "init", "--new")
    team.must("apply", "--yes")
    before = team.stored()
    commands = (["plan"], ["apply", "--yes"], ["state", "list"], ["state", "init"])
    for given, said in (
        ({"key": NEWER}, "encrypted with another key"),
        ({"passphrase": PHRASE}, "encrypted with another key"),
        ({}, "no key is set"),
    ):
        team.keys(**given)
        for words in commands:
            code, text = team.refused(*words)
            assert (code, said in text) == (Code.STATE_KEY_WRONG, True), text
    assert team.stored() == before


# What does not depend on the engine


@pytest.fixture
def git_team(tmp_path: Path, here: Callable[[SharedPlace], Team]) -> Iterator[Team]:
    with PLACES["git"](tmp_path) as place:
        yield here(place)


def remote_of(team: Team) -> Path:
    return team.folder.parent / "team.git"


def test_no_object_of_the_remote_contains_a_prompt(git_team: Team) -> None:
    """Including unreachable objects; the history of an unencrypted state does contain it."""

    def objects() -> bytes:
        remote = remote_of(git_team)
        listed = git(remote, "cat-file", "--batch-all-objects", "--batch-check").split("\n")
        ids = [line.split()[0] for line in listed if line]
        done = subprocess.run(
            ["git", "cat-file", "--batch"],
            cwd=remote,
            input="\n".join(ids).encode(),
            capture_output=True,
            check=True,
        )
        return done.stdout

    git_team.keys(passphrase=PHRASE)
    git_team.must("state", "init", "--new")
    git_team.must("apply", "--yes")
    assert b"taskctl-encrypted" in objects()
    assert PROMPT.encode() not in objects()
    assert base64.b64encode(PROMPT.encode())[:-4] not in objects()
    git_team.must("state", "init", "git:origin#plain", "--new")
    git_team.keys()
    git_team.must("state", "init", "git:origin#open", "--new")
    git_team.must("apply", "--yes", "--adopt", "--state", "git:origin#open")
    assert PROMPT.encode() in objects()


def test_a_runner_without_the_key_can_see_the_lock_holder(git_team: Team) -> None:
    git_team.keys(key=KEY)
    git_team.must("state", "init", "--new")
    head = json.loads(git_team.stored()["head"])
    assert {"lineage", "serial", "epoch", "seq", "writer", "base"} <= head.keys()
    git_team.keys()
    assert "is not locked" in git_team.must("state", "unlock", "1")


def test_a_blob_of_another_state_is_refused(git_team: Team) -> None:
    """Anyone with write access to the remote could replace the base with that of another state."""
    git_team.keys(key=KEY)
    git_team.must("state", "init", "--new")
    git_team.must("apply", "--yes")
    git_team.must("state", "init", "git:origin#other", "--new")
    other = replace(git_team, address="git:origin#other").stored()
    with closing(open_engine(git_team.address, os.environ, git_team.folder)) as engine:
        found = engine.read()
        assert found is not None
        name = json.loads(found[0])["base"]
        engine.delete_blobs([name])
        engine.put_blob(name, Parts([other[json.loads(other["head"])["base"]]]))
        engine.swap(*found)
    assert git_team.refused("plan")[0] == Code.STATE_CIPHERTEXT


def test_a_file_state_is_refused_if_a_key_is_set(git_team: Team) -> None:
    """Except that of the embedded service, which needs no account."""
    git_team.patch.setenv("TASKCTL_STATE", "taskctl.state.json")
    git_team.patch.setenv("TASKCTL_BACKEND", "http://127.0.0.1:1")
    for given in ({"key": KEY}, {"passphrase": PHRASE}):
        git_team.keys(**given)
        code, said = git_team.refused("state", "list")
        assert (code, "taskctl.state.json" in said) == (Code.STATE_NOT_ENCRYPTED, True)
    git_team.keys(key="none")
    git_team.must("state", "list")
    git_team.keys(key=KEY)
    git_team.patch.setenv("TASKCTL_BACKEND", "local")
    git_team.must("state", "list")


def test_migrating_an_encrypted_state_to_a_file_requires_disabling_encryption(
    git_team: Team,
) -> None:
    git_team.patch.setenv("TASKCTL_BACKEND", "http://127.0.0.1:1")
    git_team.keys(key=KEY)
    git_team.must("state", "init", "--new")
    move = ("state", "migrate", "--to", "taskctl.state.json")
    assert git_team.refused(*move)[0] == Code.STATE_NOT_ENCRYPTED
    assert not (git_team.folder / "taskctl.state.json").exists()
    git_team.must("state", "list")
    git_team.keys(key="none", old_keys=KEY)
    git_team.must(*move)
    assert (git_team.folder / "taskctl.state.json").exists()
