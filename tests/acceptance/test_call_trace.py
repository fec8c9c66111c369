"""Calls lead down: what an apply calls in a higher package, while it runs."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

from reconciler.model.canonical import map_texts
from reconciler.remote.sanitize import Scrubber
from tests.support.call_trace import CallTrace, TracedCall
from tests.support.fault_server import Fault, Rule
from tests.support.in_process import InProcess
from tests.support.sandbox import as_tasks, prompts
from tests.unit.test_architecture import row

ARCHITECTURE = Path(__file__).resolve().parents[2] / "docs/contributing/architecture.md"
MAX_CALLBACKS = 3
UI = ("cli.console.output", "cli.signals")
"""The command line's implementation of `app.ui.Ui`, through which use cases show and ask."""


def is_upward(call: TracedCall) -> bool:
    return row(call.module) > row(call.caller)


def is_callback(call: TracedCall) -> bool:
    """Whether a lower package calls a higher one, other than a use case its user interface."""
    is_ui = call.caller.startswith("app.") and call.module in UI
    return is_upward(call) and not is_ui


def traced(here: InProcess, *rules: Rule) -> list[TracedCall]:
    """The calls of `apply --yes` of one task."""
    here.sandbox.write(as_tasks(prompts(1)))
    here.server.set_rules(*rules)
    settings = ("--backend", here.sandbox.server.url, "--settle-time", here.sandbox.settle)
    trace = CallTrace()
    with trace.recorded():
        ended = here.run_words(["apply", "--yes", *settings])
    assert "Apply: 1 created." in ended.stdout
    return trace.calls


def test_an_apply_makes_one_callback(here: InProcess) -> None:
    found = [str(call) for call in traced(here) if is_callback(call)]
    assert len(found) == 1, found


def test_an_apply_with_a_lookup_makes_at_most_three_callbacks(here: InProcess) -> None:
    """The response is lost, and the task is found. The architecture shows the trace: all calls of
    the functions that it names, and all callbacks."""
    calls = traced(here, Rule("create", Fault("reset", committed=True), nth=(1,)))
    assert len([call for call in calls if is_callback(call)]) <= MAX_CALLBACKS
    (block,) = re.findall(r"```text\n(cli.*?)```", ARCHITECTURE.read_text("utf-8"), re.DOTALL)
    documented = [line.split() for line in block.splitlines()]
    functions = {function for _, _, function in documented}
    shown = [
        [call.caller, "=>" if is_callback(call) else "->", f"{call.module}:{call.name}"]
        for call in calls
        if f"{call.module}:{call.name}" in functions or is_callback(call)
    ]
    assert [line for line, _ in groupby(shown)] == documented


def test_the_trace_sees_callbacks_through_functions_and_libraries() -> None:
    trace = CallTrace()
    with trace.recorded():
        map_texts(Scrubber("secret"), sorted(["b", "a"], key=Scrubber("secret")))
    up = [str(call) for call in trace.calls if is_upward(call)]
    assert set(up) == {"model.canonical:map_texts -> remote.sanitize:Scrubber.__call__"}
    assert len(up) == 2
