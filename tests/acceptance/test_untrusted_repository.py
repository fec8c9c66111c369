"""The content of a repository cannot make taskctl read, write or contact anything outside of it."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import run
from reconciler.model import limits
from tests.support.repository import new_repository, track

TASK = "version: 1\ntasks:\n  {key}: {{message: Say hello to {key}.}}\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one task, the working directory; `../outside` is next to it."""
    place = tmp_path / "repository"
    new_repository(place)
    (place / "tasks").mkdir()
    (place / "tasks" / "good.yaml").write_text(TASK.format(key="good"))
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "private.yaml").write_text("version: s3cr3t\nlogin: s3cr3t\n")
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def requests() -> Iterator[tuple[str, list[str]]]:
    """The address of a server on loopback, and its requests so far."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def validate(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[Any], str]:
    """The exit code, the diagnostics as `FILE CODE`, and the complete output."""
    code = run(["validate", "--format", "json", *arguments])
    said = capsys.readouterr()
    found = json.loads(said.out)["diagnostics"]
    return code, [f"{d['file']} {d['code']}" for d in found], said.out + said.err


# References of a policy


@pytest.mark.parametrize(
    "policy",
    [
        {"default": {"$ref": "URL/x"}, "$ref": "#/default"},
        {"enum": [{"$ref": "URL/x"}, {}], "allOf": [{"$ref": "#/enum/0"}]},
        {"const": {"properties": {"key": {"$dynamicRef": "URL/x"}}}},
        {"examples": [{"$recursiveRef": "URL/x"}]},
        {"required": [], "x-extension": {"deep": [{"$ref": "URL/x"}]}},
        {"$defs": {"a": {"type": "string", "not": {"$ref": "file:///etc/hostname"}}}},
        {"$id": "URL/base.json", "$ref": "#/$defs/a", "$defs": {"a": {"$id": "b", "$ref": "#/x"}}},
        {"$id": "file:///etc/", "allOf": [{"$ref": "#hostname"}]},
        {"$schema": "http://json-schema.org/draft-04/schema#", "id": "URL/a", "$ref": "#/b"},
    ],
)
def test_a_policy_refers_only_to_itself(
    policy: Any,
    repository: Path,
    requests: tuple[str, list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    address, asked = requests
    (repository / "policy.json").write_text(json.dumps(policy).replace("URL", address))
    (repository / "taskctl.toml").write_text('policy = "policy.json"\n')
    track(repository)
    assert validate(capsys)[:2] == (1, ["policy.json TC503"])
    assert asked == []


def test_a_policy_may_constrain_a_property_named_ref(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = {"properties": {"$ref": {"type": "string"}}, "$ref": "#/$defs/a", "$defs": {"a": {}}}
    (repository / "policy.json").write_text(json.dumps(policy))
    (repository / "taskctl.toml").write_text('policy = "policy.json"\n')
    track(repository)
    assert validate(capsys)[:2] == (0, [])


# Links


def test_a_link_in_a_directory_is_not_followed_out_of_the_repository(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "tasks" / "root").symlink_to(repository.parent / "outside")
    (repository / "tasks" / "one.yaml").symlink_to(repository.parent / "outside" / "private.yaml")
    (repository / "tasks" / "git").symlink_to(repository / ".git")
    code, found, said = validate(capsys)
    assert code == 1
    assert found == ["tasks/git TC116", "tasks/one.yaml TC116", "tasks/root TC116"]
    assert "s3cr3t" not in said


@pytest.mark.parametrize("given", [[], ["tasks"], ["tasks/"], ["tasks/private.yaml"]])
def test_a_default_location_is_not_followed_either(
    given: list[str], repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "tasks" / "good.yaml").unlink()
    (repository / "tasks").rmdir()
    (repository / "tasks").symlink_to(repository.parent / "outside")
    code, found, said = validate(capsys, *given)
    assert code == 1
    assert found == [f"{(given or ['tasks'])[0].rstrip('/')} TC116"]
    assert "s3cr3t" not in said


def test_a_link_within_the_repository_is_not_followed(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "shared").mkdir()
    (repository / "shared" / "more.yaml").write_text(TASK.format(key="more"))
    (repository / "tasks" / "shared").symlink_to("../shared")
    track(repository)
    assert validate(capsys)[:2] == (1, ["tasks/shared TC116"])


def test_a_path_outside_that_a_user_names_is_read(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository.parent / "outside" / "private.yaml").write_text(TASK.format(key="private"))
    assert validate(capsys, "../outside")[:2] == (0, [])
    assert validate(capsys, str(repository.parent / "outside" / "private.yaml"))[:2] == (0, [])
    (repository.parent / "outside" / "up.yaml").symlink_to(repository / "tasks" / "good.yaml")
    assert validate(capsys, "../outside")[:2] == (1, ["../outside/up.yaml TC116"])


@pytest.mark.parametrize(
    "given", ["clone/link.yaml", "clone/folder", "clone/folder/private.yaml", "mine/link.yaml"]
)
def test_a_link_in_another_repository_is_not_followed(
    given: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clone = repository.parent / "clone"
    (clone / ".git").mkdir(parents=True)
    (clone / "link.yaml").symlink_to(repository.parent / "outside" / "private.yaml")
    (clone / "folder").symlink_to(repository.parent / "outside")
    (repository.parent / "outside" / ".git").mkdir()
    (repository.parent / "mine").symlink_to(clone)
    code, found, said = validate(capsys, f"../{given}")
    assert (code, found) == (1, [f"../{given} TC116"])
    assert "s3cr3t" not in said


def test_a_link_to_another_repository_is_the_users_own(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clone = repository.parent / "clone"
    (clone / ".git").mkdir(parents=True)
    (clone / "one.yaml").write_text(TASK.format(key="one"))
    (repository.parent / "mine").symlink_to(clone)
    assert validate(capsys, "../mine/one.yaml")[:2] == (0, [])
    assert validate(capsys, "../mine")[:2] == (0, [])


def test_fmt_rewrites_nothing_through_a_link(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outside = repository.parent / "outside" / "private.yaml"
    other = repository / "other.yml"
    for file in (outside, other):
        file.write_text("version:   1\n")
    (repository / "tasks" / "a.yaml").symlink_to(outside)
    (repository / "tasks" / "b.yaml").symlink_to(other)
    assert run(["fmt"]) == 1
    said = capsys.readouterr().err
    assert "tasks/a.yaml: error: " in said
    assert "tasks/b.yaml: error: " in said
    assert said.count("[TC116]") == 2
    assert outside.read_text() == other.read_text() == "version:   1\n"


# Special files


def test_pipes_and_devices_are_not_read(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "tasks" / "pipe.yaml").touch()
    track(repository)
    (repository / "tasks" / "pipe.yaml").unlink()
    os.mkfifo(repository / "tasks" / "pipe.yaml")
    (repository / "tasks" / "zero.yaml").symlink_to("/dev/zero")
    assert validate(capsys)[:2] == (1, ["tasks/pipe.yaml TC101", "tasks/zero.yaml TC116"])
    assert run(["fmt", "--check"]) == 1
    (repository / "taskctl.toml").write_text('policy = "tasks/pipe.yaml"\n')
    assert validate(capsys, "tasks/good.yaml")[:2] == (1, ["taskctl.toml TC101"])


def test_an_unreadable_directory_is_one_problem(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = os.scandir

    def refusing(path: Path) -> Any:
        if path.name == "closed":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "scandir", refusing)  # root can list every directory
    (repository / "tasks" / "closed").mkdir()
    (repository / "tasks" / "bad.yaml").write_text("nonsense: 1\n")
    assert validate(capsys)[:2] == (1, ["tasks/bad.yaml TC208", "tasks/closed TC101"])


def test_an_unreadable_configuration_file_is_never_ignored(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may name the policy, without which everything would be allowed."""
    config = repository / "taskctl.toml"
    outside = repository.parent / "outside" / "private.toml"
    outside.write_text('s3cr3t = "s3cr3t"\n')
    for target, code in (
        (None, "TC805"),
        ("missing.toml", "TC805"),
        (str(outside), "TC116"),
        ("/dev/zero", "TC116"),
    ):
        if target is None:
            os.mkfifo(config)
        else:
            config.symlink_to(target)
        assert run(["validate", "--format", "json"]) == 1
        said = capsys.readouterr()
        assert code in said.out
        assert "s3cr3t" not in said.out + said.err
        config.unlink()
    config.mkdir()
    assert run(["validate"]) == 1
    assert "[TC805]" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["plan"], ["state", "init", "git:origin"], ["doctor"]])
def test_a_committed_directory_is_never_used_as_a_repository(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
) -> None:
    """It looks like a bare repository to git, and its configuration names a program."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    folder, ran = tmp_path / "agents", tmp_path / "ran"
    for name in ("objects", "refs", "tasks"):
        (folder / name).mkdir(parents=True)
    (folder / "HEAD").write_text("ref: refs/heads/main\n")
    program = f'"touch {ran}; false"'
    (folder / "config").write_text(
        "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = .\n"
        f'\tfsmonitor = {program}\n\tsshCommand = {program}\n[remote "origin"]\n\turl = ssh://git@127.0.0.1/x.git\n'
    )
    (folder / "tasks" / "a.yaml").write_text(TASK.format(key="a"))
    monkeypatch.setenv("TASKCTL_STATE", "git:origin")
    monkeypatch.setenv("TASKCTL_BACKEND", "local")
    monkeypatch.chdir(tmp_path)
    assert run(["-C", "agents", *command]) == 1
    assert "TC620" in (said := capsys.readouterr()).out + said.err
    assert not ran.exists()


def test_a_plan_file_is_read_only_if_it_is_a_regular_file_of_a_plausible_size(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo("pipe.plan")
    Path("zero.plan").symlink_to("/dev/zero")
    with Path("large.plan").open("wb") as large:
        large.write(b'{"formatVersion": 3,')
        large.truncate(limits.SAVED_PLAN_BYTES + 1)
    for name, words in (
        ("pipe.plan", "not a regular file"),
        ("zero.plan", "a symbolic link"),
        ("large.plan", f"larger than {limits.SAVED_PLAN_BYTES} bytes"),
        ("none.plan", "No such file"),
    ):
        assert run(["apply", name, "--yes"]) == 1
        assert words in capsys.readouterr().err


def test_a_pipe_instead_of_the_credentials_file_is_not_read(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = repository.parent / "home"
    home.mkdir()
    os.mkfifo(home / "credentials.json")
    monkeypatch.setenv("PULUMI_HOME", str(home))
    for name in ("PULUMI_ACCESS_TOKEN", "PULUMI_BACKEND_URL", "PULUMI_CREDENTIALS_PATH"):
        monkeypatch.delenv(name, raising=False)
    assert run(["status"]) == 1
    said = capsys.readouterr().err
    assert "credentials.json" in said
    assert "not a regular file" in said


@pytest.mark.parametrize(
    ("variable", "folder"), [("HOME", "."), ("PULUMI_HOME", ".pulumi"), ("HOME", "link")]
)
def test_a_home_in_the_repository_does_not_say_where_the_token_goes(
    repository: Path,
    requests: tuple[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    folder: str,
) -> None:
    """As some containers set it. Without such a file, nothing changes."""
    url, asked = requests
    (repository.parent / "outside" / ".pulumi").symlink_to(repository / ".pulumi")
    (repository / "link").symlink_to(repository.parent / "outside")
    monkeypatch.setenv(variable, str(repository / folder) if variable == "HOME" else folder)
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "s3cr3t")
    for name in ("TASKCTL_BACKEND", "PULUMI_BACKEND_URL"):
        monkeypatch.delenv(name, raising=False)
    (repository / ".pulumi").mkdir()
    (repository / ".pulumi/credentials.json").write_text(json.dumps({"current": url}))
    assert run(["plan"]) == 1
    assert asked == []
    said = capsys.readouterr().err
    assert "credentials.json: a file in the repository must not set" in said, said
    assert run(["plan", "--backend", "local", "--org", "acme"]) == 0


@pytest.mark.parametrize("around", ["repository", "workspace"])
def test_a_home_around_the_repository_neither(
    repository: Path,
    requests: tuple[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    around: str,
) -> None:
    """Where a submodule is in another repository, or a job has several checkouts."""
    url, asked = requests
    module = repository / "modules" / "tasks"
    module.mkdir(parents=True)
    if around == "repository":
        (module / ".git").write_text("gitdir: ../../.git/modules/tasks\n")
    else:
        (module / ".git").mkdir()
        monkeypatch.setenv("GITHUB_WORKSPACE", str(repository))
    (module / "good.tasks.yaml").write_text(TASK.format(key="good"))
    (repository / ".pulumi").mkdir()
    (repository / ".pulumi/credentials.json").write_text(json.dumps({"current": url}))
    monkeypatch.setenv("HOME", str(repository))
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "s3cr3t")
    for name in ("TASKCTL_BACKEND", "PULUMI_BACKEND_URL", "PULUMI_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(module)
    assert run(["plan"]) == 1
    assert asked == []
    assert "a file in the repository must not set" in capsys.readouterr().err


def test_a_home_around_a_linked_work_tree_is_no_repository_of_it(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As where somebody keeps the files of their home directory in git."""
    tree = repository / "tree"
    (tree / "tasks").mkdir(parents=True)
    (tree / ".git").write_text(f"gitdir: {repository.parent}/main/.git/worktrees/tree\n")
    (tree / "tasks" / "good.yaml").write_text(TASK.format(key="good"))
    (repository / ".pulumi").mkdir()
    current = {"current": "http://127.0.0.1:9"}
    (repository / ".pulumi/credentials.json").write_text(json.dumps(current))
    monkeypatch.setenv("HOME", str(repository))
    for name in ("TASKCTL_BACKEND", "PULUMI_BACKEND_URL", "PULUMI_HOME", "PULUMI_ACCESS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tree)
    assert run(["plan"]) == 1
    assert "no access token for http://127.0.0.1:9" in capsys.readouterr().err


def test_a_configuration_in_the_repository_does_not_name_the_organization(
    repository: Path,
    requests: tuple[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url, asked = requests
    monkeypatch.setenv("HOME", str(repository))
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "s3cr3t")
    (repository / ".pulumi").mkdir()
    config = {"backends": {url: {"defaultOrg": "odd"}}}
    (repository / ".pulumi/config.json").write_text(json.dumps(config))
    assert run(["plan", "--backend", url]) == 1
    assert "config.json: a file in the repository must not set" in capsys.readouterr().err
    assert not [path for path in asked if "odd" in path]


@pytest.mark.parametrize("marker", ["file", "folder"])
def test_files_of_a_clone_below_are_not_read(
    repository: Path, capsys: pytest.CaptureFixture[str], marker: str
) -> None:
    """A job may have checked it out next to the manifests, with another token."""
    clone = repository / "private"
    clone.mkdir()
    (clone / ".git").mkdir() if marker == "folder" else (clone / ".git").write_text("gitdir: x\n")
    (clone / "notes.txt").write_text("s3cr3t\n")
    (clone / "broken.yaml").write_text("s3cr3t: [\n")
    (repository / "tasks" / "good.yaml").write_text(
        "version: 1\ntasks:\n  a: {message: {contentFile: ../private/notes.txt}}\n"
        "  b: {forEach: {x: {file: ../private/notes.txt}}, message: 'Do {{ x }}'}\n"
    )
    (repository / "tasks" / "link.yaml").symlink_to("../private/broken.yaml")
    (repository / "tasks" / "folder").symlink_to("../private")
    code, found, said = validate(capsys)
    files = ("tasks/folder", "tasks/good.yaml", "tasks/link.yaml")
    assert (code, sorted(set(found))) == (1, [f"{file} TC116" for file in files]), said
    assert "s3cr3t" not in said
    assert validate(capsys, "private/broken.yaml")[1] == ["private/broken.yaml TC105"]
