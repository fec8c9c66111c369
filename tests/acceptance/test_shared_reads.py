"""A plan only reads a shared state, with few requests and without write permission."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import run
from reconciler.model.codes import Code
from tests.support.fault_proxy import FaultProxy, Trouble
from tests.support.git_server import git
from tests.support.shared_places import MANIFEST
from tests.support.state_engines import ENGINE_PARAMS, Runner, Served, serving

Run = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(scope="module", params=ENGINE_PARAMS)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Served]]:
    with serving(request.param, tmp_path_factory.mktemp(request.param)) as server:
        yield request.param, server


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs a command on a runner; returns its exit code and document."""

    def ran(runner: Runner, *words: str) -> tuple[int, dict[str, Any]]:
        (runner.folder / "tasks").mkdir(exist_ok=True)
        (runner.folder / "tasks/all.yaml").write_text(MANIFEST)
        monkeypatch.chdir(runner.folder)
        monkeypatch.setenv("TASKCTL_STATE", runner.address)
        monkeypatch.setenv("TASKCTL_BACKEND", f"local:{tmp_path}/service.db")
        capsys.readouterr()
        code = run([*words, "--format", "json"])
        return code, json.loads(capsys.readouterr().out)

    return ran


def test_a_plan_reads_in_at_most_four_round_trips(served: tuple[str, Served], command: Run) -> None:
    name, server = served
    direct = server.runner("counted")
    for words in (("state", "init", "--new"), ("apply", "-y")):
        assert command(direct, *words)[0] == 0
    with FaultProxy(server.port, server.protocol) as proxy:
        other = server.runner("counted", proxy.port)
        proxy.forget()
        code, plan = command(other, "plan")
        assert (code, plan["summary"]["unchanged"]) == (0, 2)
        assert not proxy.writes
        assert 0 < len(proxy.asked) <= {"git": 4, "postgres": 3}.get(name, 2)


def reader_of_git(runner: Runner, server: Served, _: FaultProxy) -> Runner:
    git(server.folder / "team.git", "config", "http.receivepack", "false")
    return runner


def reader_of_postgres(runner: Runner, server: Served, _: FaultProxy) -> Runner:
    import psycopg

    with psycopg.connect(server.runner("any").address.partition("?")[0]) as owner:
        owner.execute("CREATE ROLE reader LOGIN")
        owner.execute("GRANT USAGE ON SCHEMA taskctl TO reader")
        owner.execute("GRANT SELECT ON taskctl.head, taskctl.blob TO reader")
    return replace(runner, address=runner.address.replace("taskctl@", "reader@"))


def reader_of_objects(runner: Runner, _: Served, proxy: FaultProxy) -> Runner:
    proxy.always = lambda asked: Trouble("answer", 403) if asked.write else None
    return runner


READERS: Mapping[str, Callable[[Runner, Served, FaultProxy], Runner]] = {
    "git": reader_of_git,
    "postgres": reader_of_postgres,
    "s3": reader_of_objects,
    "memory": reader_of_objects,
}


def test_read_permission_is_enough_for_plan_but_not_for_apply(
    served: tuple[str, Served], command: Run
) -> None:
    name, server = served
    assert command(server.runner("read"), "state", "init", "--new")[0] == 0
    with FaultProxy(server.port, server.protocol) as proxy:
        reader = READERS[name](server.runner("read", proxy.port), server, proxy)
        code, plan = command(reader, "plan")
        assert (code, plan["summary"]["create"]) == (0, 2)
        assert command(reader, "state", "list")[0] == 0
        code, refused = command(reader, "apply", "-y")
        assert code == 1
        assert [said["code"] for said in refused["diagnostics"]] == [Code.STATE_ACCESS_DENIED]
        code, plan = command(reader, "plan")
        assert (code, plan["summary"]["create"]) == (0, 2)
