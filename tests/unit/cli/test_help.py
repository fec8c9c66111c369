"""The options in `--help` and `--help-all`."""

from __future__ import annotations

import re

import click
import pytest

from reconciler.cli.main import app, run


def listed(command: str, option: str, capture: pytest.CaptureFixture[str]) -> set[str]:
    """The options, by the long names in the first column."""
    assert run([command, option]) == 0
    said = capture.readouterr().out
    assert "\nExit codes:\n" in said
    return set(re.findall(r"^  (?:-\w, )?(--[\w-]+|-C)", said, re.MULTILINE))


@pytest.mark.parametrize("name", ["plan", "apply"])
def test_the_help_lists_the_everyday_options_and_help_all_lists_all(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = app.get_command(click.Context(app), name)
    assert command is not None
    params = command.get_params(click.Context(command))
    options = {each.opts[-1] for each in params if isinstance(each, click.Option)}
    everything, usual = (listed(name, option, capsys) for option in ("--help-all", "--help"))
    assert len(everything) == len(options)
    assert usual < everything
    assert len(usual) == 14
    assert {"--help", "--help-all", "--target", "--backend"} <= usual
