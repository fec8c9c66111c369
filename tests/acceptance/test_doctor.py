"""`taskctl doctor`: each check succeeds, fails, or does not apply."""

from __future__ import annotations

import json
import re
import subprocess
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.app.ci import SYSTEMS
from reconciler.app.doctor import CHECKS
from reconciler.cli.main import run
from reconciler.embedded.app import App
from reconciler.model.codes import Code
from tests.support.embedded_server import running_app, running_server
from tests.support.fault_network import Proxy, certificate, closed_port
from tests.support.fault_server import FaultServer
from tests.support.in_process import InProcess
from tests.support.skipped_time import skipped_now


class Doctor:
    """Runs the command in a separate directory, without settings of this machine."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capture = capture

    def run(self, backend: str, *options: str) -> tuple[int, dict[str, str], list[str]]:
        """The exit code, the outcome of each check, and the codes of the diagnostics."""
        self._capture.readouterr()
        code = run(
            ["doctor", "-C", str(self.folder), "--backend", backend, "--format", "json", *options]
        )
        document: dict[str, Any] = json.loads(self._capture.readouterr().out)
        outcomes = {check["name"]: check["outcome"] for check in document["checks"]}
        return code, outcomes, [problem["code"] for problem in document["diagnostics"]]

    def failed(self, backend: str, *options: str) -> tuple[list[str], list[str]]:
        """The checks that fail, and the codes."""
        code, outcomes, codes = self.run(backend, *options)
        assert code == 1
        assert [name for name in CHECKS if name in outcomes] == list(outcomes)
        return [name for name, outcome in outcomes.items() if outcome == "failed"], codes

    def apply(self, backend: str) -> None:
        """Creates a task, and so the state file."""
        (self.folder / "a.tasks.yaml").write_text(
            "version: 1\norgName: acme\ntasks:\n  k:\n    message: Do it.\n"
        )
        assert run(["apply", "--yes", "-q", "-C", str(self.folder), "--backend", backend]) == 0

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.folder, check=True, capture_output=True)


@pytest.fixture
def doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Doctor:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "some-token")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "pulumi-home"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    for name in ("PULUMI_DEFAULT_ORGANIZATION", "TASKCTL_ORG", *SYSTEMS):
        monkeypatch.delenv(name, raising=False)
    return Doctor(folder, capsys)


def test_everything_succeeds(doctor: Doctor, tmp_path: Path) -> None:
    doctor.git("init", "-q")
    before = sorted(doctor.folder.iterdir())
    with running_server(tmp_path / "service.db") as url:
        code, outcomes, codes = doctor.run(url)
    assert (code, codes) == (0, [])
    assert set(outcomes) == set(CHECKS) - {"apply", "references"}  # not set, and none yet
    assert set(outcomes.values()) == {"ok"}
    assert sorted(doctor.folder.iterdir()) == before


def test_the_embedded_service_needs_nothing(doctor: Doctor) -> None:
    assert doctor.run("local")[:2] == (0, {"state": "ok"})


def test_an_invalid_backend(doctor: Doctor, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "-C", str(doctor.folder), "--backend", "ftp://example.test"]) == 1
    assert "[TC716]" in capsys.readouterr().err


def test_a_missing_token(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULUMI_ACCESS_TOKEN")
    assert doctor.failed("http://127.0.0.1:1") == (["token"], [Code.MISSING_CREDENTIALS])


def test_a_service_that_cannot_be_reached(doctor: Doctor) -> None:
    assert doctor.failed("http://127.0.0.1:1") == (["service"], [Code.UNREACHABLE])


def test_a_token_that_is_not_accepted(doctor: Doctor, tmp_path: Path) -> None:
    with running_server(tmp_path / "service.db", "other") as url:
        assert doctor.failed(url)[0] == ["service"]


def test_a_clock_that_is_off(doctor: Doctor, tmp_path: Path) -> None:
    app = App(tmp_path / "service.db", now=lambda: skipped_now() + timedelta(minutes=3))
    with closing(app), running_app(app) as url:
        assert doctor.failed(url) == (["service"], [Code.CLOCK_SKEW])


def test_details_are_below_the_row_of_a_failed_check(
    doctor: Doctor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_server(tmp_path / "service.db", "other") as url:
        words = ["doctor", "-C", str(doctor.folder), "--backend", url]
        assert run(words) == 1
        said = capsys.readouterr()
        rows = said.out.splitlines()
        (at,) = (n for n, row in enumerate(rows) if row.startswith("failed"))
        assert rows[at].endswith("[TC705]")
        assert rows[at + 1].startswith("    ")
        assert said.err == ""
        assert run([*words, "-q"]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert "[TC705]" in said.err


def test_a_state_that_cannot_be_read(doctor: Doctor, tmp_path: Path) -> None:
    (doctor.folder / "taskctl.state.json").write_text("{")
    with running_server(tmp_path / "service.db") as url:
        assert doctor.failed(url)[0] == ["state"]


@pytest.mark.parametrize(
    ("habit", "said"),
    [
        ("kept", "the service shows the last line of the prompt of acme/k"),
        ("stripped", "the service does not show the last line of the prompt of acme/k"),
        ("cut", "the service does not show the last line of the prompt of acme/k"),
        ("redacted", "the service does not show the last line of the prompt of acme/k"),
    ],
)
def test_whether_the_service_keeps_references(
    here: InProcess, capsys: pytest.CaptureFixture[str], habit: Any, said: str
) -> None:
    """Read from one recorded task; without references, apply still works, so the check
    succeeds."""
    here.server.habits.references = habit
    here.run("apply")
    before = len(here.server.of("events"))
    assert run(["doctor", "-C", str(here.sandbox.folder), "--backend", here.server.url]) == 0
    (row,) = [r for r in capsys.readouterr().out.splitlines() if r.split()[1] == "References"]
    assert row.startswith("ok")
    assert said in row
    assert len(here.server.of("events")) == before + 1


def test_references_of_another_identity_are_not_read(
    here: InProcess, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert here.run("apply").code == 0
    here.server.habits.tokens = {"other": "other"}
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "other")
    run(["doctor", "-C", str(here.sandbox.folder), "--backend", here.server.url])
    assert "References" not in capsys.readouterr().out


def test_a_state_file_in_ci(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that exists: the next runner may not have it."""
    monkeypatch.setenv("GITLAB_CI", "true")
    with running_server(tmp_path / "service.db") as url:
        assert doctor.failed(url) == (["state"], [Code.STATE_ON_RUNNER])
        monkeypatch.delenv("GITLAB_CI")
        doctor.apply(url)
        monkeypatch.setenv("GITLAB_CI", "true")
        assert doctor.failed(url) == (["state"], [Code.STATE_ON_RUNNER])


def test_a_state_file_that_git_tracks(doctor: Doctor, tmp_path: Path) -> None:
    doctor.git("init", "-q")
    with running_server(tmp_path / "service.db") as url:
        doctor.apply(url)
        assert doctor.run(url)[0] == 0
        doctor.git("add", "taskctl.state.json")
        assert doctor.failed(url) == (["git"], [Code.STATE_TRACKED])
        doctor.git("rm", "-q", "--cached", "taskctl.state.json")
        assert doctor.run(url)[0] == 0


def test_a_repository_that_git_refuses(doctor: Doctor, tmp_path: Path) -> None:
    (doctor.folder / ".git").mkdir()
    with running_server(tmp_path / "service.db") as url:
        assert doctor.failed(url) == (["git"], [Code.GIT_UNUSABLE])


def test_whether_this_user_may_apply(
    doctor: Doctor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def row() -> str:
        capsys.readouterr()
        assert run(["doctor", "-C", str(doctor.folder), "--backend", url]) == 0
        (found,) = [r for r in capsys.readouterr().out.splitlines() if r.split()[1] == "Apply"]
        return found

    config = doctor.folder / "taskctl.toml"
    with running_server(tmp_path / "service.db") as url:
        config.write_text('apply-as = "login:octocat"\n')
        found = re.search(r"only as login:octocat .*: (\S+) can plan, but not apply", row())
        assert found is not None
        config.write_text(f'apply-as = "login:{found[1]}"\n')
        assert row() == f"ok      Apply    as login:{found[1]} (`apply-as`)"


def test_text_has_a_row_for_each_check(doctor: Doctor, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "-C", str(doctor.folder), "--backend", "local"]) == 0
    assert re.fullmatch(r"ok +State +\S+local.state.json .*\n", capsys.readouterr().out)


def test_the_token_is_not_shown(doctor: Doctor, capsys: pytest.CaptureFixture[str]) -> None:
    run(["doctor", "-v", "-C", str(doctor.folder), "--backend", "http://127.0.0.1:1"])
    said = capsys.readouterr()
    assert "some-token" not in said.out + said.err


@pytest.mark.parametrize(
    ("variable", "host", "line"),
    [
        ("ALL_PROXY", "taskctl.test", " through the proxy 127.0.0.1"),
        ("HTTPS_PROXY", "127.0.0.1", ""),
    ],
)
def test_the_proxy_that_is_used_is_named(
    doctor: Doctor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    host: str,
    line: str,
) -> None:
    """Also one for all schemes; never one that is not used, such as for loopback."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    pem, context = certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    with FaultServer(tls=context) as server, Proxy(server.port) as proxy:
        monkeypatch.setenv(variable, proxy.url)
        run(["doctor", "-C", str(doctor.folder), "--backend", f"https://{host}:{server.port}"])
        assert bool(proxy.heard) is ("proxy" in line)
    assert re.search(
        rf"^ok +Service +https://{host}:\d+{line}, as \S+$", capsys.readouterr().out, re.MULTILINE
    )


def test_proxy_and_certificate_problems_are_reported(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with FaultServer(tls=certificate(tmp_path)[1]) as server:
        assert doctor.failed(server.url) == (["service"], [Code.CERTIFICATE])
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file.pem")
    assert doctor.failed("https://taskctl.test") == (["service"], [Code.CERTIFICATE])
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed_port()}")
    assert doctor.failed("https://taskctl.test") == (["service"], [Code.PROXY])


def test_a_shared_state(doctor: Doctor, tmp_path: Path) -> None:
    doctor.git("init", "-q")
    doctor.git("init", "-q", "--bare", str(tmp_path / "remote.git"))
    doctor.git("remote", "add", "origin", str(tmp_path / "remote.git"))
    for address, why in (
        ("git:nowhere", Code.STATE_ADDRESS),
        ("git:origin", Code.STATE_NOT_INITIALIZED),
    ):
        assert doctor.failed("local", "--state", address) == (["state"], [why])
    assert (
        run(
            ["state", "init", "git:origin", "--new", "-C", str(doctor.folder), "--backend", "local"]
        )
        == 0
    )
    code, outcomes, _ = doctor.run("local", "--state", "git:origin")
    assert (code, outcomes["state"]) == (0, "ok")
    with running_server(tmp_path / "service.db") as url:
        assert doctor.failed(url, "--state", "git:origin")[0] == [
            "state"
        ]  # it belongs to another backend
