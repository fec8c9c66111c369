"""taskctl.toml on the embedded service, from a subdirectory."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.cli.main import run
from tests.support.embedded_server import running_server

LOCAL = ["--backend", "local"]


def manifest(*keys: str, head: str = "") -> str:
    tasks = "".join(f"  {key}:\n    message: Do {key}.\n" for key in keys)
    return f"version: 1\norgName: acme\n{head}tasks:\n{tasks}"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "agents/below").mkdir(parents=True)
    (tmp_path / "agents/a.yaml").write_text(manifest("a", "b", "c"))
    (tmp_path / "taskctl.toml").write_text('paths = ["agents"]\nsettle-time = "1s"\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_paths_are_the_locations_of_manifests(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["validate"]) == 0
    assert capsys.readouterr().out == "3 tasks in 1 file: valid.\n"
    (repository / "other.yaml").write_text(manifest("x"))
    assert run(["validate", "other.yaml"]) == 0
    assert capsys.readouterr().out == "1 task in 1 file: valid.\n"
    assert run(["-C", "agents/below", "fmt", "--check"]) == 0
    assert run(["-C", "agents/below", "validate"]) == 0
    assert capsys.readouterr().out == "3 tasks in 1 file: valid.\n"


@pytest.mark.parametrize(
    ("text", "shown", "words"),
    [
        ('paths = ["agent"]', "1:10: error: paths: ", 'did you mean "agents"?'),
        ('paths = [\n  "agents",\n  "agnts/",\n]', "3:3: error: paths: ", 'mean "agents"?'),
        ('paths = ["agents/*.yaml"]', "1:10: error: paths: ", "cannot have wildcards"),
        ('paths = ["agents/below"]', "1:10: error: paths: ", "no manifests"),
        ("paths = ['a.yaml']", "1:10: error: paths: ", "[TC101]"),
        ('policy = "p.yaml"', "1:10: error: policy: ", "[TC101]"),
    ],
)
def test_a_problem_of_a_path_is_located_in_the_file(
    repository: Path, capsys: pytest.CaptureFixture[str], text: str, shown: str, words: str
) -> None:
    (repository / "taskctl.toml").write_text(text)
    reads_policy = [["validate"], ["plan", *LOCAL]]
    for command in reads_policy if "policy" in text else [*reads_policy, ["fmt", "--check"]]:
        assert run(command) == 1
        said = "".join(capsys.readouterr())
        assert f"taskctl.toml:{shown}" in said
        assert words in said
        assert re.search(r"\n +\| +\^", said)


def test_a_path_on_the_command_line_is_not_located_in_the_file(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "taskctl.toml").write_text('paths = ["agent"]')
    assert run(["validate", "agent"]) == 1
    assert capsys.readouterr().err.startswith("agent: error: no such file or directory; did you")


def test_paths_replace_the_default_locations(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As with the default locations, a recorded task that is in no manifest is orphaned."""
    assert run(["apply", *LOCAL, "--yes", "-q"]) == 0
    (repository / "agents/a.yaml").write_text(manifest("a", "b"))
    capsys.readouterr()
    assert run(["plan", *LOCAL, "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["scope"] == []
    assert document["summary"]["orphaned"] == 1


def test_a_quiet_apply_shows_no_progress(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "agents/a.yaml").write_text(manifest(*(f"k{n}" for n in range(21))))
    assert run(["apply", *LOCAL, "--yes", "-q"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("state", ["git:origin", "env:TASKCTL_STATE"])
def test_the_configured_state_is_not_used_for_the_embedded_service(
    repository: Path, state: str
) -> None:
    with (repository / "taskctl.toml").open("a") as file:
        file.write(f'state = "{state}"\n')
    assert run(["apply", *LOCAL, "--yes", "-q"]) == 0
    assert (repository / ".taskctl/local.state.json").exists()


@pytest.mark.parametrize("words", [["plan"], ["apply", "--yes"], ["status"], ["state", "list"]])
def test_a_required_variable_is_never_replaced_with_a_file(
    repository: Path,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "any")
    with (repository / "taskctl.toml").open("a") as file:
        file.write('state = "env:TASKCTL_STATE"\n')
    assert run([*words, "--backend", "http://127.0.0.1:9"]) == 1
    err = capsys.readouterr().err
    assert "requires the variable TASKCTL_STATE" in err
    assert "[TC620]" in err
    assert not (repository / "taskctl.state.json").exists()


def test_the_directory_of_the_configuration_is_the_working_directory(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever in it a command runs, there is one state, one embedded service, and one plan."""
    assert run(["apply", *LOCAL, "--yes", "-q"]) == 0
    monkeypatch.chdir(repository / "agents/below")
    for words in (["apply"], ["apply", ".."], ["apply", "../a.yaml"]):
        assert run([*words, *LOCAL, "--yes", "--format", "json"]) == 0
        assert json.loads(capsys.readouterr().out)["tasks"] == []
    assert not list((repository / "agents").rglob(".taskctl"))
    state = json.loads((repository / ".taskctl/local.state.json").read_text())
    assert {task["file"] for task in state["tasks"].values()} == {"agents/a.yaml"}
    assert run(["plan", "../a.yaml", *LOCAL, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["scope"] == ["agents/a.yaml"]
    assert run(["state", "list", "../a.yaml", *LOCAL]) == 0
    assert "acme/a" in capsys.readouterr().out


def test_a_plan_has_the_same_digest_in_every_directory(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def digest(*paths: str) -> object:
        assert run(["plan", *paths, "--backend", "local", "--format", "json"]) == 0
        return json.loads(capsys.readouterr().out)["digest"]

    whole, part = digest(), digest("agents/a.yaml")
    monkeypatch.chdir(repository / "agents/below")
    assert (digest(), digest("../a.yaml")) == (whole, part)


def test_typed_paths_are_relative_to_the_directory_of_the_shell(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    below = repository / "agents/below"
    monkeypatch.chdir(below)
    own = ["--backend", "local:own.db", "--state", "own.json"]
    assert run(["plan", *own, "-o", "p.taskctl", "--report", "json=p.json", "-q"]) == 0
    assert run(["apply", *own, "p.taskctl", "-q"]) == 0
    assert {path.name for path in below.iterdir()} >= {"own.db", "own.json", "p.json", "p.taskctl"}
    monkeypatch.chdir(repository)
    there = ["--backend", "local:agents/below/own.db", "--state", "agents/below/own.json"]
    assert run(["apply", *there, "--yes", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["tasks"] == []


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


def test_a_manifest_belongs_to_one_configuration(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also to a directory next to it, which only git knows."""
    other = repository / "other"
    other.mkdir()
    (other / "taskctl.toml").write_text('paths = ["../agents"]\n')
    (repository / ".git").rmdir()
    git(repository, "init", "-q")
    git(repository, "add", ".")
    for words in (["plan"], ["apply", "--yes"]):
        assert run([*words, *LOCAL]) == 1
        said = capsys.readouterr()
        assert "other/taskctl.toml, another configuration" in said.err + said.out
        assert "[TC812]" in said.err + said.out
    assert run(["validate"]) == 0
    (other / "taskctl.toml").write_text('paths = ["../agents/a.yaml"]\n')
    assert run(["plan", *LOCAL]) == 1
    (other / "taskctl.toml").write_text('paths = ["elsewhere"]\n')
    assert run(["plan", *LOCAL]) == 0


def test_the_configuration_beside_a_manifest_claims_it(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "agents/taskctl.toml").write_text("")
    assert run(["plan", *LOCAL]) == 0
    (repository / "agents/a.tasks.yaml").write_text(manifest("d"))
    assert run(["plan", *LOCAL]) == 1
    assert "agents/taskctl.toml, another configuration" in capsys.readouterr().err
    (repository / "agents/taskctl.toml").write_text("paths = 1\n")
    assert run(["plan", *LOCAL]) == 1
    assert "[TC805]" in capsys.readouterr().err


def test_the_command_line_wins_over_the_file_and_the_limit_of_a_manifest_stays(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (repository / "taskctl.toml").open("a") as file:
        file.write("max-creates = 2\n")
    assert run(["plan", *LOCAL]) == 1
    err = capsys.readouterr().err
    assert "[TC513]" in err
    assert "taskctl apply --max-creates 3" in err
    (repository / "agents/a.yaml").write_text(manifest("a", "b", "c", head="maxCreates: 1\n"))
    for more in ([], ["--max-creates", "3"]):
        assert run(["plan", *LOCAL, *more]) == 1
        err = capsys.readouterr().err
        assert "at most 1 " in err
        assert "taskctl apply" not in err
    (repository / "agents/a.yaml").write_text(manifest("a", "b", "c", head="maxCreates: 3\n"))
    (repository / "taskctl.toml").write_text('paths = ["agents"]\nmax-creates = 3\n')
    assert run(["plan", *LOCAL]) == 0
    assert run(["plan", *LOCAL, "--max-creates", "2"]) == 1
    (repository / "taskctl.toml").write_text('paths = ["agents"]\nmax-creates = 1\n')
    assert run(["plan", *LOCAL]) == 1
    assert run(["plan", *LOCAL, "--max-creates", "5"]) == 0


def test_a_saved_plan_uses_its_own_options(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", *LOCAL, "--settle-time", "2s", "--out", "p"]) == 0
    assert run(["apply", *LOCAL, "p"]) == 0
    assert "3 created" in capsys.readouterr().out
    state = json.loads((repository / ".taskctl/local.state.json").read_text())
    assert len(state["tasks"]) == 3


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "a-person")
    with running_server(tmp_path / "service.db") as url:
        yield ["--backend", url]


def test_only_the_configured_identity_may_apply(
    repository: Path, served: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """On the embedded service of a laptop, everyone may try it."""
    config = repository / "taskctl.toml"
    before = config.read_text()
    for apply_as in ("user-id:someone", "team:platform", "login:octocat"):
        config.write_text(f'{before}apply-as = "{apply_as}"\n')
        assert run(["plan", *LOCAL, "--format", "json"]) == 0
        assert json.loads(capsys.readouterr().out)["diagnostics"] == []
        assert run(["plan", *served, "--format", "json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert document["applyWillFail"]
        assert document["failReasons"] == [{"code": "TC721", "key": None, "blocking": True}]
        (told,) = document["diagnostics"]
        assert (told["code"], told["severity"], apply_as in told["summary"]) == (
            "TC721",
            "note",
            True,
        )
        assert run(["apply", *served, "--yes", "--format", "json"]) == 1
        document = json.loads(capsys.readouterr().out)
        assert [d["code"] for d in document["diagnostics"]] == ["TC721"]
        assert run(["plan", *served, "--format", "json"]) == 0
        assert json.loads(capsys.readouterr().out)["summary"]["create"] == 3
    login = re.search(r"login:([^,]+), user-id:([^;]+);", document["diagnostics"][0]["summary"])
    assert login is not None
    for apply_as in (f"login:{login[1].upper()}", f"user-id:{login[2]}"):
        config.write_text(f'{before}apply-as = "{apply_as}"\n')
        assert run(["apply", *served, "--yes"]) == 0
        assert "TC721" not in capsys.readouterr().err


@pytest.mark.parametrize("value", ["octocat", "user:1", "login:", "login: ", ""])
def test_an_invalid_identity_is_refused(
    value: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (repository / "taskctl.toml").open("a") as file:
        file.write(f'apply-as = "{value}"\n')
    assert run(["plan", *LOCAL]) == 1
    assert "[TC805]" in capsys.readouterr().err


def test_a_plan_with_another_token_than_that_of_apply_says_that_its_digest_differs(
    repository: Path,
    served: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def plan() -> tuple[str, list[str]]:
        assert run(["plan", *served, "--format", "json"]) == 0
        document = json.loads(capsys.readouterr().out)
        told = [d for d in document["diagnostics"] if d["code"] == "TC721"]
        return document["digest"], [d["detail"] for d in told]

    assert run(["apply", *served, "--yes", "-q"]) == 0
    (repository / "agents/b.yaml").write_text(manifest("x"))
    digest, told = plan()
    assert told == []

    def comment() -> str:
        assert run(["plan", *served, "--format", "markdown"]) == 0
        return capsys.readouterr().out

    assert digest in comment()
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "a-colleague")
    assert plan()[0] != digest
    with (repository / "taskctl.toml").open("a") as file:
        file.write('apply-as = "login:somebody"\n')
    digest, told = plan()
    assert "plan of login:somebody has a different digest" in told[0]
    assert digest not in comment()  # nobody can use it
    assert comment().rindex("[TC721]") > comment().rindex("</details>")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            "state = git:origin",
            """\
taskctl.toml:2:9: error: invalid TOML: invalid value; text needs quotes [TC805]
    2 | state = git:origin
      |         ^^^^^^^^^^
""",
        ),
        (
            "max_creates = 3  # per run",
            """\
taskctl.toml:2:1: error: max_creates: unknown property; did you mean `max-creates`? [TC805]
    2 | max_creates = 3  # per run
      | ^^^^^^^^^^^
""",
        ),
        (
            'paths = ["tasks"]',
            """\
taskctl.toml:2:1: error: duplicate key, first defined on line 1 [TC805]
    2 | paths = ["tasks"]
      | ^^^^^
""",
        ),
        (
            "parallelism = 0  # none",
            """\
taskctl.toml:2:15: error: parallelism: must be an integer of at least 1 [TC805]
    2 | parallelism = 0  # none
      |               ^
""",
        ),
    ],
)
def test_an_error_looks_like_that_of_a_manifest(
    repository: Path, capsys: pytest.CaptureFixture[str], line: str, shown: str
) -> None:
    (repository / "taskctl.toml").write_text(f'paths = ["agents"]\n{line}\n')
    assert run(["validate"]) == 1
    assert capsys.readouterr().err == shown


def test_a_line_of_a_file_with_a_credential_is_not_shown(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = "ghp_aB3dE5fG7hI9jK1lM2nO4pQ6rS8tU0vW2xY4"
    (repository / "taskctl.toml").write_text(f'token = "{token}"\nx = 1\n')
    assert run(["validate"]) == 1
    assert token not in capsys.readouterr().err
