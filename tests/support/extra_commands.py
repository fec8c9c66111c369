"""Commands of a test's own, put among taskctl's."""

from __future__ import annotations

import sys
from types import ModuleType

import click
import pytest

from reconciler.cli import main
from reconciler.cli.command import Run, make_command


def add_command(
    monkeypatch: pytest.MonkeyPatch, function: Run, *params: click.Parameter, reports: bool = False
) -> None:
    """Makes `taskctl try` of a function, with these parameters."""
    module = ModuleType("reconciler.cli.commands.try")
    examples = [("taskctl try", "to see")]
    made = make_command("try", *params, examples=examples, reports=reports)(function)
    vars(module)["command"] = made
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(main.COMMANDS, "try", "Try something.")
