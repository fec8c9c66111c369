"""The options of the commands that talk to a service: where it is, and what apply would do there.

Apart from `options`, since `validate` needs none of them.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import click
from click.core import ParameterSource

from reconciler.cli.completion.candidates import files, keys, recorded_keys
from reconciler.cli.config.file import config_of
from reconciler.cli.options.help import Run, with_options
from reconciler.model.errors import TaskctlError
from reconciler.model.fields import PATCHED
from reconciler.model.options import AdoptScope, PlanOptions, parse_duration


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the service and the state are, as given; None: to be found as the contract says."""

    backend: str | None
    org: str | None
    state: str | None
    parallelism: int = 10
    lock_timeout: timedelta = timedelta()


def connection_options(function: Run) -> Run:
    """Gives the command `connection: Connection`."""
    names = ("backend", "org", "state", "parallelism", "lock_timeout")

    @functools.wraps(function)
    def gathered(**values: Any) -> int | None:
        own = {name: values.pop(name) for name in names}
        context = click.get_current_context()
        config_of(context).fill(own, context)
        for name in ("backend", "org"):  # looked up again, and named as what it comes from
            if context.get_parameter_source(name) is ParameterSource.ENVIRONMENT:
                own[name] = None
        return function(connection=Connection(**own), **values)

    return with_options(gathered, _CONNECTION)


def plan_options(function: Run) -> Run:
    """Gives the command `options: PlanOptions`: all that changes what apply would do."""
    names = (
        "settle_time",
        "adopt",
        "adopt_limit",
        "allow_recreate",
        "max_creates",
        "target",
        "exclude",
        "over_budget",
        "update",
        "replace",
        "cancel_replaced",
    )

    @functools.wraps(function)
    def gathered(**values: Any) -> int | None:
        own = {name: values.pop(name) for name in names}
        context = click.get_current_context()
        config_of(context).fill(own, context)
        own["adopt"] = AdoptScope(own["adopt"]) if own["adopt"] else None
        for name in ("allow_recreate", "target", "exclude", "replace"):
            own[name] = tuple(sorted(set(own[name])))
        return function(options=PlanOptions(**own), **values)

    return with_options(gathered, _PLAN)


def _duration(ctx: click.Context, param: click.Parameter, value: str) -> timedelta:
    try:
        return parse_duration(value)
    except TaskctlError as problem:
        found = problem.diagnostics[0]
        raise click.BadParameter(f"{found.summary}. {found.detail}", ctx, param) from problem


def _one_task_each(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    for value in values:
        name, equals, task_id = value.partition("=")
        if any(sign in name for sign in "*?["):
            what = f"{value!r} is a pattern, and a new task costs money: name each key"
            raise click.BadParameter(what, ctx, param)
        if not name or (equals and not task_id):
            raise click.BadParameter(f"{value!r} is not KEY or KEY=TASK_ID", ctx, param)
    return values


_CONNECTION = [
    click.option(
        "--backend",
        envvar="TASKCTL_BACKEND",
        show_envvar=True,
        metavar="URL|local|local:PATH",
        help="The service; local: the embedded one, no account needed.",
    ),
    click.option(
        "--org",
        envvar="TASKCTL_ORG",
        show_envvar=True,
        metavar="NAME",
        help="Organization of tasks whose manifest names none.",
    ),
    click.option(
        "--state",
        envvar="TASKCTL_STATE",
        show_envvar=True,
        metavar="PATH",
        shell_complete=files,
        help="State file.  [default: taskctl.state.json]",
    ),
    click.option(
        "--parallelism",
        type=click.IntRange(min=1),
        default=10,
        show_default=True,
        metavar="N",
        help="Requests at once.",
    ),
    click.option(
        "--lock-timeout",
        callback=_duration,
        default="0s",
        show_default=True,
        metavar="DURATION",
        help="How long to wait for another apply on the state.",
    ),
]

_PLAN = [
    click.option(
        "--target",
        multiple=True,
        metavar="KEY|GLOB",
        shell_complete=keys,
        help="Only these tasks, ORG/KEY where it has a slash (repeatable).",
    ),
    click.option(
        "--exclude",
        multiple=True,
        metavar="KEY|GLOB",
        shell_complete=keys,
        help="All tasks but these (repeatable).",
    ),
    click.option(
        "--settle-time",
        callback=_duration,
        default="150s",
        show_default=True,
        envvar="TASKCTL_SETTLE_TIME",
        show_envvar=True,
        metavar="DURATION",
        help="How long a create without a response may still succeed; only then is it sent again.",
    ),
    click.option(
        "--adopt",
        type=click.Choice([scope.value for scope in AdoptScope]),
        help="Which unrecorded tasks to adopt: all, those newer than what the last apply has "
        "read (recent), or none.  "
        "[default: all on a new state, else recent]",
    ),
    click.option(
        "--adopt-limit",
        type=click.IntRange(min=0),
        default=1000,
        show_default=True,
        metavar="N",
        help="Look at so many of the newest at most.",
    ),
    click.option(
        "--allow-recreate",
        multiple=True,
        metavar="[=KEY]",
        shell_complete=recorded_keys,
        help="Create tasks anew that are gone at the service: all, or this one (repeatable).",
    ),
    click.option(
        "--update",
        is_flag=True,
        help=f"Change in place what a manifest changed and can be: {', '.join(PATCHED)}.",
    ),
    click.option(
        "--replace",
        multiple=True,
        callback=_one_task_each,
        metavar="KEY[=TASK_ID]",
        shell_complete=keys,
        help="Create a new task for this key; with an id, only while it has that one (repeatable).",
    ),
    click.option(
        "--cancel-replaced",
        is_flag=True,
        help="Cancel each task that --replace replaces, once the new one is recorded.",
    ),
    click.option(
        "--max-creates",
        type=click.IntRange(min=0),
        metavar="N",
        help="With more than N to create, send nothing and fail.",
    ),
    click.option(
        "--over-budget",
        is_flag=True,
        help="Create though the Neo token budget is used up; the service may refuse all the same.",
    ),
]
