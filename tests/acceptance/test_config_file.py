"""taskctl.toml on the embedded service, from a subdirectory."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from reconciler.cli.main import run

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


def test_the_configured_state_is_not_used_for_the_embedded_service(repository: Path) -> None:
    with (repository / "taskctl.toml").open("a") as file:
        file.write('state = "state/taskctl.state.json"\n')
    assert run(["apply", *LOCAL, "--yes", "-q"]) == 0
    assert (repository / ".taskctl/local.state.json").exists()
    assert not (repository / "state").exists()


def test_the_lowest_limit_of_creates_applies(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (repository / "taskctl.toml").open("a") as file:
        file.write("max-creates = 2\n")
    assert run(["plan", *LOCAL]) == 1
    assert "[TC513]" in capsys.readouterr().err
    (repository / "agents/a.yaml").write_text(manifest("a", "b", "c", head="maxCreates: 1\n"))
    assert run(["plan", *LOCAL]) == 1
    assert "[TC513]" in capsys.readouterr().err
    assert run(["plan", *LOCAL, "--max-creates", "3"]) == 1
    assert "at most 1 " in capsys.readouterr().err
    (repository / "agents/a.yaml").write_text(manifest("a", "b", "c", head="maxCreates: 3\n"))
    (repository / "taskctl.toml").write_text('paths = ["agents"]\nmax-creates = 3\n')
    assert run(["plan", *LOCAL]) == 0
    assert run(["plan", *LOCAL, "--max-creates", "2"]) == 1


def test_a_saved_plan_uses_its_own_options(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", *LOCAL, "--settle-time", "2s", "--out", "p"]) == 0
    assert run(["apply", *LOCAL, "p"]) == 0
    assert "3 created" in capsys.readouterr().out
    state = json.loads((repository / ".taskctl/local.state.json").read_text())
    assert len(state["tasks"]) == 3


def test_only_the_configured_identity_may_apply(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = repository / "taskctl.toml"
    before = config.read_text()
    for apply_as in ("user-id:someone", "team:platform", "login:octocat"):
        config.write_text(f'{before}apply-as = "{apply_as}"\n')
        assert run(["plan", *LOCAL, "--format", "json"]) == 0
        (told,) = json.loads(capsys.readouterr().out)["diagnostics"]
        assert (told["code"], told["severity"], apply_as in told["summary"]) == (
            "TC721",
            "note",
            True,
        )
        assert run(["apply", *LOCAL, "--yes", "--format", "json"]) == 1
        document = json.loads(capsys.readouterr().out)
        assert [d["code"] for d in document["diagnostics"]] == ["TC721"]
        assert run(["plan", *LOCAL, "--format", "json"]) == 0
        assert json.loads(capsys.readouterr().out)["summary"]["create"] == 3
    login = re.search(r"login:([^,]+), user-id:([^;]+);", document["diagnostics"][0]["summary"])
    assert login is not None
    for apply_as in (f"login:{login[1].upper()}", f"user-id:{login[2]}"):
        config.write_text(f'{before}apply-as = "{apply_as}"\n')
        assert run(["apply", *LOCAL, "--yes"]) == 0
        assert "TC721" not in capsys.readouterr().err


@pytest.mark.parametrize("value", ["octocat", "user:1", "login:", "login: ", ""])
def test_an_invalid_identity_is_refused(
    value: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (repository / "taskctl.toml").open("a") as file:
        file.write(f'apply-as = "{value}"\n')
    assert run(["plan", *LOCAL]) == 1
    assert "[TC805]" in capsys.readouterr().err
