"""A process that can open no more files still reports what it created."""

from __future__ import annotations

import resource

import pytest

from tests.support.fault_server import Call, Fault
from tests.support.in_process import InProcess


@pytest.mark.parametrize("report", ["json", "text"])
def test_the_report_of_what_was_created_is_not_lost(here: InProcess, report: str) -> None:
    process = here.sandbox.start("apply", "--parallelism", "1", "--format", report)
    creates: list[Call] = []

    def choose(call: Call) -> Fault | None:
        if call.endpoint == "create":
            creates.append(call)
            if len(creates) == 2:
                resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, 3))
        return None

    here.server.choose = choose
    out, err = process.communicate()
    assert process.returncode == 1
    assert "Traceback" not in err, err
    assert "created" in out, err
    assert here.server.world.tasks[0].id in out
