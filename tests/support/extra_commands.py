"""Adds commands of a test to taskctl."""

from __future__ import annotations

import sys
from types import ModuleType

import click
import pytest

from reconciler.cli import main
from reconciler.cli.command import CommandFunction, make_command


def add_command(
    monkeypatch: pytest.MonkeyPatch,
    function: CommandFunction,
    *params: click.Parameter,
    reports: bool = False,
) -> None:
    """Makes a function the command `taskctl try`, with these parameters."""
    module = ModuleType("reconciler.cli.commands.try")
    examples = [("taskctl try", "to see")]
    made = make_command("try", *params, examples=examples, reports=reports)(function)
    vars(module)["command"] = made
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(main.COMMANDS, "try", "Try something.")
