"""Options of the commands after the create, and what to answer from."""

from __future__ import annotations

from datetime import timedelta

import click

from reconciler.model.errors import TaskctlError
from reconciler.model.options import parse_duration


def duration(ctx: click.Context, param: click.Parameter, value: str | None) -> timedelta | None:
    """The callback of an option whose value is a duration."""
    try:
        return None if value is None else parse_duration(value)
    except TaskctlError as problem:
        found = problem.diagnostics[0]
        raise click.BadParameter(f"{found.summary}. {found.detail}", ctx, param) from problem


interval_option = click.option(
    "--interval",
    callback=duration,
    default="2s",
    show_default=True,
    metavar="DURATION",
    help="How often to look.",
)
"""Gives the command `interval: timedelta`."""

request_option = click.option(
    "--request", metavar="ID", help="Answer this request, where several wait."
)
"""Gives the command `request: str | None`."""
