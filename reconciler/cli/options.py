"""The options that several commands share, and their conversion to plain values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from click.core import ParameterSource

from reconciler.app.settings import Connection
from reconciler.cli import completion
from reconciler.cli.completion import Complete
from reconciler.cli.help import Choice
from reconciler.cli.usage import UsageError
from reconciler.model import limits
from reconciler.model.fields import PATCHED
from reconciler.model.glob import is_glob, other_sign
from reconciler.model.options import PlanOptions, parse_duration, parse_settle_time
from reconciler.model.remarks import RemarkError


def option(*names: str, help: str, **attributes: Any) -> click.Option:  # noqa: A002 - as in click
    return click.Option(list(names), help=help, show_default=True, **attributes)


def argument(name: str, metavar: str, complete: Complete | None = None, **more: Any) -> Any:
    return click.Argument([name], metavar=metavar, shell_complete=complete, **more)


# Types of values


class Number(click.IntRange):
    """An integer between two limits."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as problem:
            case = "number" if self.max is None else "numberUpTo"
            raise UsageError(case, value=str(value), least=self.min, most=self.max) from problem


def duration(value: str | timedelta) -> timedelta:
    """A value such as 90s."""
    return _parsed(value, parse_duration)


def settle_duration(value: str | timedelta) -> timedelta:
    """A settle time."""
    return _parsed(value, parse_settle_time)


def _parsed(value: str | timedelta, parse: Callable[[str], timedelta]) -> timedelta:
    if isinstance(value, timedelta):
        return value
    try:
        return parse(value)
    except RemarkError as problem:
        raise UsageError(problem.case, **problem.facts) from problem


def time(value: str) -> datetime:
    """A date or time, in UTC unless it has an offset."""
    try:
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    except ValueError as problem:
        raise UsageError("time", value=value) from problem
    if not 1970 <= moment.year < 9000:
        raise UsageError("year", value=value)
    return moment


def _key_or_glob(value: str) -> str:
    if (sign := other_sign(value)) is not None:
        raise UsageError("glob", value=value, sign=sign)
    return value


def _retried_key(value: str) -> str:
    if not value or "=" in value:
        raise UsageError("retry", value=value)
    return _key_or_glob(value)


def _replaced_key(value: str) -> str:
    name, equals, task_id = value.partition("=")
    _key_or_glob(name)
    if not name or (equals and (not task_id or is_glob(name))):
        raise UsageError("replace", value=value)
    return value


# Arguments

PATHS = argument("paths", "[PATH]...", completion.files, nargs=-1)
SELECTED = argument(
    "selectors", "KEY|GLOB|PATH...", completion.keys_or_files, nargs=-1, required=True
)
SELECTION = argument("selectors", "[KEY|GLOB|PATH]...", completion.keys_or_files, nargs=-1)

# The service and the state

BACKEND = option(
    "--backend",
    envvar="TASKCTL_BACKEND",
    show_envvar=True,
    metavar="URL|local|local:PATH",
    help="The service; local is the embedded service, which needs no account.",
)
ORG = option(
    "--org",
    envvar="TASKCTL_ORG",
    show_envvar=True,
    metavar="NAME",
    help="Organization for manifests without `orgName`.",
)
STATE = option(
    "--state",
    envvar="TASKCTL_STATE",
    show_envvar=True,
    metavar="PATH|URL",
    shell_complete=completion.files,
    help="State file, or the address of a shared state, such as git:origin.  "
    "[default: taskctl.state.json]",
)
PARALLELISM = option(
    "--parallelism",
    type=Number(1, limits.PARALLELISM),
    default=limits.DEFAULT_PARALLELISM,
    metavar="N",
    help="Number of concurrent requests, up to 256.",
)
LOCK_TIMEOUT = option(
    "--lock-timeout",
    type=duration,
    default="0s",
    help="How long to wait for the state lock.",
)
READS = [BACKEND, STATE, PARALLELISM]
EDITS = [BACKEND, STATE, LOCK_TIMEOUT]
CONNECTION = [BACKEND, ORG, STATE, PARALLELISM, LOCK_TIMEOUT]

# What apply does: the fields of PlanOptions.

SETTLE_TIME = option(
    "--settle-time",
    type=settle_duration,
    default="150s",
    envvar="TASKCTL_SETTLE_TIME",
    show_envvar=True,
    help="How long to wait before repeating a create request that got no response, because it "
    "may still succeed.",
)
PLAN = [
    option(
        "--target",
        multiple=True,
        type=_key_or_glob,
        metavar="KEY|GLOB",
        shell_complete=completion.keys,
        help="Only these tasks, or those of an entry (repeatable). A pattern with a slash matches "
        "ORG/KEY.",
    ),
    SETTLE_TIME,
    option(
        "--allow-recreate",
        multiple=True,
        type=_key_or_glob,
        metavar="[=KEY|GLOB]",
        shell_complete=completion.keys,
        help="Recreate tasks that the service no longer has: all, or only these (repeatable).",
    ),
    option(
        "--update",
        is_flag=True,
        help=f"Set {', '.join(PATCHED)} of existing tasks to the values in the manifest, no matter "
        "who changed them.",
    ),
    option(
        "--replace",
        multiple=True,
        type=_replaced_key,
        metavar="KEY|GLOB|KEY=TASK_ID",
        shell_complete=completion.keys,
        help="Create a new task for each of these keys, or those of an entry, if its task has "
        "ended and its prompt or another fixed setting was edited. KEY=TASK_ID replaces that task, "
        "whatever its status, if it is still the current task of KEY. Repeatable.",
    ),
    option(
        "--retry",
        multiple=True,
        type=_retried_key,
        metavar="KEY|GLOB",
        shell_complete=completion.keys,
        help="Create a new task for each of these keys, or those of an entry, whose current task "
        "has ended without success: failed, unmet, cancelled or stopped. Repeatable.",
    ),
    option(
        "--max-creates",
        type=Number(min=0),
        metavar="N",
        help="Fail before sending anything if the plan creates more than N tasks.",
    ),
    option(
        "--over-budget",
        is_flag=True,
        help="Create tasks even if the token budget is exhausted; the service may still reject "
        "them.",
    ),
]

PLAN_WAIT = option(
    "--wait",
    is_flag=True,
    help="Plan for `apply --wait`, which also creates held tasks once others are done.",
)
PLAN_NAMES = frozenset(param.name or "" for param in (*PLAN, PLAN_WAIT))

# Others

YES = option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
INTERVAL = option("--interval", type=duration, default="2s", help="Polling interval.")
TIMEOUT = option("--timeout", type=duration, default="30m", help="How long to wait.")
STOP_ON = option(
    "--stop-on",
    type=Choice(["waiting"]),
    help="Also stop waiting once every unfinished task waits for a person.",
)

FAIL_ON = option(
    "--fail-on",
    multiple=True,
    type=Choice(["changed", "orphaned", "none"]),
    help="Also exit 1 if a task differs from its manifest (changed), or is no longer in any "
    "manifest (orphaned). Repeatable. none: exit 0 even if apply would fail; apply "
    "itself then exits 1 only for failures that its plan does not predict.",
)

# From options to values


def connection_of(ctx: click.Context) -> Connection:
    """The command's connection. A backend or organization from the environment is resolved later,
    with its source. A command without `--settle-time` uses the same sources as others."""
    own = {name: ctx.params[name] for name in Connection.__struct_fields__ if name in ctx.params}
    if own:
        configured, _ = SETTLE_TIME.consume_value(ctx, own)
        own["settle_time"] = SETTLE_TIME.process_value(ctx, configured)
    for name in ("backend", "org"):
        if ctx.get_parameter_source(name) is ParameterSource.ENVIRONMENT:
            own[name] = None
    return Connection(**own)


def plan_options_of(ctx: click.Context) -> PlanOptions:
    """The command's options for a plan."""
    own = {name: ctx.params[name] for name in PLAN_NAMES if name in ctx.params}
    for name in ("allow_recreate", "target", "replace", "retry"):
        own[name] = tuple(sorted(set(own[name])))
    return PlanOptions(**own)


def plan_options_given(ctx: click.Context) -> frozenset[str]:
    """The names of the options for a plan that were given for this run, not in the configuration
    file."""
    given = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    return frozenset(name for name in PLAN_NAMES if ctx.get_parameter_source(name) in given)


def first_given(ctx: click.Context, names: Sequence[str]) -> str | None:
    """The first of these options on the command line."""
    given = ParameterSource.COMMANDLINE
    return next((name for name in names if ctx.get_parameter_source(name) is given), None)
