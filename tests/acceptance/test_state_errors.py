"""Errors of a shared state: each is one error with its own code, and nothing is sent."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.cli.main import run
from reconciler.model.codes import Code
from tests.support.fault_server import FaultServer, Habits
from tests.support.git_server import bare_repository, git
from tests.support.http_objects import careless_s3, refusing, stored
from tests.support.sandbox import TOKEN
from tests.support.shared_places import MANIFEST
from tests.support.state_servers import S3_KEYS, postgres_programs, postgres_server

SECRET = "hunter2hunter2"


@pytest.fixture(scope="module")
def service() -> Iterator[FaultServer]:
    with FaultServer(habits=Habits(tokens={TOKEN: "me"})) as server:
        yield server


@dataclass
class Clone:
    """A clone with two tasks; its remote is `origin`."""

    folder: Path
    remote: Path
    service: FaultServer
    capsys: pytest.CaptureFixture[str]

    def run(self, *words: str) -> tuple[int, str]:
        self.capsys.readouterr()
        code = run(words)
        return code, self.capsys.readouterr().out

    def must(self, *words: str) -> str:
        code, out = self.run(*words)
        assert code == 0, out
        return out

    def refused(self, *words: str) -> tuple[str, str]:
        """The code of the only problem, and what a user reads of it."""
        code, out = self.run(*words, "--format", "json")
        (found,) = json.loads(out)["diagnostics"]
        assert (code, found["severity"]) == (1, "error")
        assert not self.service.posts
        text = f"{found['summary']}\n{found['detail']}"
        assert SECRET not in text
        return found["code"], text

    def apply(self, address: str) -> tuple[str, str]:
        return self.refused("apply", "--yes", "--state", address)


@pytest.fixture
def clone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    service: FaultServer,
) -> Clone:
    for name in [n for n in os.environ if n.startswith(("TASKCTL_", "PULUMI_", "AWS_", "PG"))]:
        monkeypatch.delenv(name)
    remote = bare_repository(tmp_path, "team")
    git(tmp_path, "clone", "-q", str(remote), "here")
    folder = tmp_path / "here"
    (folder / "tasks").mkdir()
    (folder / "tasks/all.yaml").write_text(MANIFEST)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TASKCTL_BACKEND", service.url)
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", TOKEN)
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "pulumi"))
    for name, value in S3_KEYS.items():
        monkeypatch.setenv(name, value)
    return Clone(folder, remote, service, capsys)


# Addresses


@pytest.mark.parametrize(
    ("module", "address", "extra"),
    [
        ("obstore", "s3://states/team", "taskctl[objects]"),
        ("obstore", "gs://states/team", "taskctl[objects]"),
        ("psycopg", "postgresql://localhost/states", "taskctl[postgresql]"),
        ("psycopg", "postgresql://localhost/states", "script/install --with postgresql"),
    ],
)
def test_an_extra_that_is_not_installed(
    clone: Clone, monkeypatch: pytest.MonkeyPatch, module: str, address: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    code, text = clone.apply(address)
    assert (code, extra in text) == (Code.STATE_EXTRA_MISSING, True), text


def test_git_or_the_reader_of_profiles_is_not_installed(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_PROFILE", "team")
    monkeypatch.setitem(sys.modules, "boto3", None)
    code, text = clone.apply("s3://states/team")
    assert (code, "boto3" in text) == (Code.STATE_EXTRA_MISSING, True), text
    monkeypatch.setenv("PATH", str(clone.folder / "empty"))
    code, text = clone.apply("git:origin")
    assert (code, "needs git" in text) == (Code.STATE_EXTRA_MISSING, True), text


def test_a_git_that_fails_without_a_reason(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    program = clone.folder / "bin" / "git"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    assert clone.apply("git:origin")[0] == Code.STATE_UNREACHABLE


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://me:{SECRET}@localhost/states",
        f"postgresql://localhost/states?password={SECRET}",
        f"postgresql://me%3A{SECRET}@localhost/states",
        f"s3://key:{SECRET}@states/team",
        f"s3://states/team?secret_access_key={SECRET}",
        f"az://account/states/team?sig={SECRET}",
        f"git:https://{SECRET}@localhost/team.git",
        f"https://me:{SECRET}@localhost/states",
    ],
)
def test_an_address_with_a_password(clone: Clone, address: str) -> None:
    for words in (("apply", "--yes", "--state", address), ("state", "init", address)):
        code, text = clone.refused(*words)
        assert (code, "password" in text) == (Code.STATE_ADDRESS, True), text


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("https://localhost/states", "unknown scheme https"),
        ("postgres://localhost/states", "unknown scheme postgres"),
        ("s3:states/team", "expected // after s3:"),
        ("Git:origin", "unknown scheme Git"),
        ("gti:origin", "unknown scheme gti"),
        ("file:taskctl.state.json", "unknown scheme file"),
        ("C:taskctl.state.json", "starts with ./"),
        (" git:origin", "unknown scheme  git"),
        ("S3://states/team", "unknown scheme S3"),
        ("s3:///team", "bucket is missing"),
        ("s3://states/team?endpoit=https://localhost", "unknown parameter endpoit"),
        ("s3://states/team?endpoint=http://192.0.2.1", "must be an https:// URL"),
        ("postgresql://localhost/states?sslmod=require", "sslmod"),
        ("git:", "names no remote"),
        ("git:upstream", "(remotes: origin)"),
        ("git:https://localhost/team.git", "(remotes: origin)"),
        ("git:origin#a b", "not the name of a ref"),
        ("git:origin#refs/heads/../x", "not the name of a ref"),
        ("git:origin#refs/heads/main", "holds something else"),
    ],
)
def test_an_incomplete_address(clone: Clone, address: str, why: str) -> None:
    code, text = clone.apply(address)
    assert (code, why in text) == (Code.STATE_ADDRESS, True), text


def test_a_file_of_the_repository_names_only_a_remote_of_the_clone(clone: Clone) -> None:
    config = clone.folder / "taskctl.toml"
    for address in ("s3://states/team", "postgresql://localhost/states", "https://localhost/x"):
        config.write_text(f'state = "{address}"\n')
        code, text = clone.refused("apply", "--yes")
        assert (code, "TASKCTL_STATE" in text) == (Code.INVALID_CONFIG, True), text
    for address in ("git:https://localhost/team.git", "git:../team.git", "git:elsewhere"):
        config.write_text(f'state = "{address}"\n')
        assert clone.refused("apply", "--yes")[0] == Code.STATE_ADDRESS
    config.write_text('state = "git:origin"\n')
    assert clone.refused("apply", "--yes")[0] == Code.STATE_NOT_INITIALIZED


def test_a_branch_is_never_replaced_with_a_state(clone: Clone) -> None:
    """Whoever may merge could add the files of a state to it, and name it in taskctl.toml."""
    clone.must("state", "init", "git:origin#x")
    git(clone.folder, "fetch", "-q", "origin", "refs/taskctl/state/x")
    git(clone.folder, "checkout", "-q", "FETCH_HEAD", "--", ".")
    (clone.folder / "taskctl.toml").write_text('state = "git:origin#refs/heads/main"\n')
    git(clone.folder, "add", "--all")
    git(clone.folder, "commit", "-qm", "Keep the state here")
    git(clone.folder, "push", "-q", "origin", "HEAD:main")
    before = git(clone.remote, "rev-parse", "main")
    code, text = clone.refused("state", "mv", "a", "b")
    assert (code, "holds something else" in text) == (Code.STATE_ADDRESS, True), text
    assert clone.refused("apply", "--yes")[0] == Code.STATE_ADDRESS
    assert git(clone.remote, "rev-parse", "main") == before


def test_a_state_that_does_not_exist(clone: Clone) -> None:
    for address, word in (("git:origin", "git:origin"), ("git:origin#x", "'git:origin#x'")):
        code, text = clone.apply(address)
        assert (code, f"taskctl state init {word}" in text) == (Code.STATE_NOT_INITIALIZED, True)
    with refusing(404, "NoSuchKey") as endpoint:
        code, text = clone.apply(f"s3://states/team?endpoint={endpoint}")
    assert code == Code.STATE_NOT_INITIALIZED
    assert f"taskctl state init 's3://states/team?endpoint={endpoint}'" in text


def test_init_prints_how_to_use_the_state(clone: Clone) -> None:
    assert 'state = "git:origin"' in clone.must("state", "init", "git:origin")
    (clone.folder / "taskctl.toml").write_text('state = "git:origin"\n')
    assert clone.must("state", "init", "git:origin") == "The state git:origin already exists.\n"
    said = clone.must("state", "init", "taskctl.state.json", "--new")
    assert "--state taskctl.state.json" in said


def test_migrate_prints_how_to_use_the_new_location(clone: Clone) -> None:
    clone.must("state", "init", "git:origin#before")
    said = clone.must("state", "migrate", "--state", "git:origin#before", "--to", "git:origin")
    assert 'state = "git:origin"' in said
    assert "--state git:origin" in said
    said = clone.must("state", "migrate", "--state", "git:origin", "--to", "./a:b.json")
    assert "state = " not in said
    assert "--state ./a:b.json" in said


def test_an_input_of_push_that_is_no_copy_is_not_to_be_moved_aside(clone: Clone) -> None:
    clone.must("state", "init", "git:origin")
    for text in ("", "{", '{"version": 5}'):
        (clone.folder / "bad.json").write_text(text)
        code, said = clone.refused("state", "push", "bad.json", "--state", "git:origin")
        assert (code, "taskctl state pull" in said) == (Code.STATE_EDIT, True), said
        assert "aside" not in said


def test_a_list_says_that_there_is_no_state_file(clone: Clone) -> None:
    said = clone.must("state", "list", "--state", "missing.json")
    assert said == "There is no state file missing.json yet.\n"


# Servers


@pytest.mark.parametrize(
    ("status", "said", "words"),
    [
        (403, "InvalidAccessKeyId", "InvalidAccessKeyId: It is unknown"),
        (403, "AccessDenied", "do not permit this: AccessDenied"),
        (401, "", "401"),
    ],
)
def test_object_storage_rejects_the_credentials(
    clone: Clone, status: int, said: str, words: str
) -> None:
    with refusing(status, said, "It is unknown") as endpoint:
        code, text = clone.apply(f"s3://states/team?endpoint={endpoint}")
    assert (code, words in text) == (Code.STATE_ACCESS_DENIED, True), text


def test_missing_credentials(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with refusing(403) as metadata:
        monkeypatch.setenv("AWS_METADATA_ENDPOINT", metadata)
        code, text = clone.apply("s3://states/team?endpoint=https://127.0.0.1:1")
    assert (code, "none in the environment" in text) == (Code.STATE_ACCESS_DENIED, True), text


def test_the_git_host_rejects_the_credentials(clone: Clone) -> None:
    with refusing(401) as host:
        git(clone.folder, "remote", "add", "private", f"{host}/team.git")
        code, text = clone.apply("git:private")
    assert (code, "could not read Username" in text) == (Code.STATE_ACCESS_DENIED, True), text


def test_a_bucket_or_repository_that_does_not_exist(clone: Clone) -> None:
    with refusing(404, "NoSuchBucket", "The bucket does not exist") as endpoint:
        address = f"s3://mistyped/team?endpoint={endpoint}"
        for words in (("apply", "--yes", "--state", address), ("state", "init", address)):
            code, text = clone.refused(*words)
            assert (code, "NoSuchBucket" in text) == (Code.STATE_CONTAINER_MISSING, True), text
    git(clone.folder, "remote", "add", "gone", str(clone.folder / "gone.git"))
    code, text = clone.apply("git:gone")
    assert (code, "gone.git" in text) == (Code.STATE_CONTAINER_MISSING, True), text


@pytest.mark.tools
def test_a_role_or_a_database_that_does_not_exist(clone: Clone) -> None:
    programs = postgres_programs()
    assert programs is not None
    with postgres_server(programs) as address:
        code, text = clone.apply(address.replace("taskctl@", "nobody@"))
        assert (code, 'role "nobody"' in text) == (Code.STATE_ACCESS_DENIED, True), text
        code, text = clone.apply(address.replace("/postgres", "/mistyped"))
        assert (code, '"mistyped"' in text) == (Code.STATE_CONTAINER_MISSING, True), text


def test_a_server_that_ignores_conditional_writes(clone: Clone) -> None:
    with careless_s3() as endpoint:
        code, _ = clone.refused("state", "init", f"s3://states/team?endpoint={endpoint}")
        assert code == Code.STATE_UNCONDITIONAL
        assert not any("head" in path or "blobs" in path for path in stored())


def test_an_unreachable_server(clone: Clone) -> None:
    git(clone.folder, "remote", "add", "away", f"http://me:{SECRET}@127.0.0.1:1/team.git")
    code, text = clone.apply("git:away")
    assert (code, "127.0.0.1" in text) == (Code.STATE_UNREACHABLE, True), text


def test_a_host_that_rejects_the_ref(clone: Clone) -> None:
    """A plan still works, because it only reads; and a branch that the host accepts can be used."""
    clone.must("state", "init", "git:origin")
    hook = clone.remote / "hooks/update"
    hook.write_text(
        '#!/bin/sh\ncase $1 in refs/taskctl/*) echo "no such refs here" >&2; exit 1;; esac\n'
    )
    hook.chmod(0o755)
    refusals = [
        clone.apply("git:origin"),
        clone.refused("state", "init", "git:origin#other", "--new"),
    ]
    for code, text in refusals:
        assert code == Code.STATE_REJECTED
        assert "no such refs here" in text
        assert "taskctl state init git:origin#refs/heads/taskctl-state" in text
    assert "2 to create" in clone.must("plan", "--state", "git:origin")
    clone.must("state", "init", "git:origin#refs/heads/taskctl-state", "--new")
    assert "2 to create" in clone.must("plan", "--state", "git:origin#refs/heads/taskctl-state")


def test_a_missing_state_file_is_not_pulled_as_an_empty_state(clone: Clone) -> None:
    code, said = clone.refused("state", "pull", "--state", "missing.json")
    assert code == Code.STATE_NOT_INITIALIZED
    assert "there is no state file missing.json" in said
