"""Commands of a test's own, put among taskctl's."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType

import click
import pytest

from reconciler.cli import main
from reconciler.cli.options.help import Run
from reconciler.cli.options.shared import make_command


def add_command(
    monkeypatch: pytest.MonkeyPatch, function: Run, *decorators: Callable[[Run], Run]
) -> None:
    """Makes `taskctl try` of a function, with the options that `decorators` give it."""
    for decorate in reversed(decorators):
        function = decorate(function)
    module = ModuleType("reconciler.cli.commands.try")
    made: click.Command = make_command("try", examples=[("taskctl try", "to see")])(function)
    vars(module)["command"] = made
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(main.COMMANDS, "try", "Try something.")
