"""`taskctl serve` as a process: it prints its address, responds, and stops on request."""

from __future__ import annotations

import json
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from reconciler.cli.main import run


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKCTL_SERVE_TOKEN", "t")


@contextmanager
def served(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "reconciler", "serve", "--port", "0", "-C", str(folder), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().rstrip("\n")
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def user(url: str, token: str) -> dict[str, object]:
    request = Request(f"{url}/api/user", headers={"Authorization": f"token {token}"})
    with urlopen(request) as answer:
        read: dict[str, object] = json.load(answer)
    return read


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_prints_its_address_responds_and_exits_cleanly(
    tmp_path: Path, number: signal.Signals
) -> None:
    with served(tmp_path) as (process, url):
        assert url.startswith("http://127.0.0.1:")
        assert user(url, "t")["id"]
        assert (tmp_path / ".taskctl" / "local.db").exists()
        process.send_signal(number)
        out, said = process.communicate()
        assert (process.returncode, out, said) == (0, "", "")


def test_a_port_in_use_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with served(tmp_path) as (_process, url):
        port = url.rpartition(":")[2]
        db = str(tmp_path / "other.db")
        assert run(["serve", "--port", port, "--db", db]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert port in said.err


def test_without_a_token_each_start_creates_one_in_a_file_of_this_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The terminal does not show it; tasks outlive it."""
    monkeypatch.delenv("TASKCTL_SERVE_TOKEN")
    tokens, users = set(), set()
    for _ in range(2):
        with served(tmp_path) as (process, url):
            assert process.stderr is not None
            note = process.stderr.readline()
            (file,) = map(Path, re.findall(r"\S+\.token", note))
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            token = file.read_text().strip()
            assert token not in note
            with pytest.raises(HTTPError) as refused:
                user(url, "local")
            refused.value.close()
            users.add(user(url, token)["id"])
            tokens.add(token)
            process.send_signal(signal.SIGTERM)
            process.communicate()
            assert not file.exists()
    assert (len(tokens), len(users)) == (2, 1)


def test_the_file_of_the_token_is_never_in_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TASKCTL_SERVE_TOKEN")
    (tmp_path / ".git").mkdir()
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    with served(tmp_path) as (process, url):
        _, err = process.communicate()
    assert (process.returncode, url, "TASKCTL_SERVE_TOKEN" in err) == (1, "", True)
    assert not list((tmp_path / "tmp").iterdir())


def test_the_only_valid_token_is_in_the_environment_not_in_the_list_of_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TASKCTL_SERVE_TOKEN", "the-only-one")
    with served(tmp_path) as (_, url):
        assert user(url, "the-only-one")["id"]
        with pytest.raises(HTTPError) as refused:
            user(url, "another")
        refused.value.close()
        assert refused.value.code == 401
    assert run(["serve", "--port", "0", "-C", str(tmp_path), "--token", "visible"]) == 1
    assert "--token" in capsys.readouterr().err


def test_an_empty_token_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TASKCTL_SERVE_TOKEN", " ")
    assert run(["serve", "--port", "0", "-C", str(tmp_path)]) == 1
    assert "TASKCTL_SERVE_TOKEN is empty" in capsys.readouterr().err


def test_other_host_names_need_an_option(tmp_path: Path) -> None:
    with served(tmp_path, "--allow-host", "neo.example.test") as (_, url):
        for host, status in (("neo.example.test", 200), ("other.example.test", 403)):
            headers = {"Host": host, "Authorization": "token t"}
            request = Request(f"{url}/api/user", headers=headers)
            try:
                with urlopen(request) as answer:
                    found = answer.status
            except HTTPError as problem:
                problem.close()
                found = problem.code
            assert found == status
