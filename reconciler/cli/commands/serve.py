"""`taskctl serve`: the embedded service over HTTP."""

from __future__ import annotations

import time
from datetime import timedelta

import click

from reconciler.cli.console.output import Output
from reconciler.cli.options.shared import common_options, make_command
from reconciler.cli.options.tasks import duration

NO_BUDGET = -1
MOST_TOKENS = 2**53


def _tokens(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    if value is None or value == "none":
        return NO_BUDGET if value else None
    plain = value.isascii() and value.isdigit() and len(value) < 17
    if not plain or int(value) > MOST_TOKENS:
        raise click.BadParameter(f"{value!r} must be a number of tokens, or none", ctx, param)
    return int(value)


@make_command(
    "serve",
    examples=[
        ("taskctl serve", "listens on http://127.0.0.1:8765"),
        ("taskctl serve --port 0 --db /tmp/demo.db", "a free port and a separate file"),
        ("taskctl serve --scenario approving", "tasks that ask for approval"),
        ("taskctl serve --token-budget 50000 --budget-window 1h", "a budget per hour"),
        (
            "PULUMI_ACCESS_TOKEN=any taskctl plan --backend http://127.0.0.1:8765",
            "in another terminal; any token is valid",
        ),
    ],
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="Port to listen on; 0 selects a free one.",
)
@click.option(
    "--db",
    default=".taskctl/local.db",
    show_default=True,
    metavar="PATH",
    help="SQLite file that stores the tasks.",
)
@click.option(
    "--token",
    metavar="T",
    help="The only valid token. Without it, any token is valid, but clients must send one.",
)
@click.option(
    "--scenario",
    type=click.Choice(
        [
            *("finishing", "approving", "asking", "delegating", "failing", "stopping", "slow"),
            "by-prompt",
        ]
    ),
    default="finishing",
    show_default=True,
    help="What tasks do; by-prompt: the first word of each prompt selects it.",
)
@click.option(
    "--work-time",
    callback=duration,
    default="3s",
    show_default=True,
    metavar="DURATION",
    help="How long a task runs.",
)
@click.option(
    "--streams",
    type=click.Choice(["end", "open"]),
    default="end",
    show_default=True,
    help="Whether the event stream of an idle task ends, or stays open as in Pulumi Cloud.",
)
@click.option(
    "--token-budget",
    callback=_tokens,
    metavar="N|none",
    help="Neo tokens that each organization may use, stored in the file; none removes the limit.",
)
@click.option(
    "--budget-window",
    callback=duration,
    metavar="DURATION",
    help="Length of the budget period, which repeats.  [default: unlimited]",
)
@common_options
def command(
    host: str,
    port: int,
    db: str,
    token: str | None,
    scenario: str,
    work_time: timedelta,
    streams: str,
    token_budget: int | None,
    budget_window: timedelta | None,
    out: Output,
) -> int:
    """Serve the embedded service over HTTP until SIGINT or SIGTERM.

    The first line of output is its address.
    """
    from reconciler import garbage
    from reconciler.embedded.budget import TokenBudget
    from reconciler.embedded.scenarios import SCENARIOS
    from reconciler.embedded.server import serve

    garbage.resume()
    budget = None
    if token_budget is not None and token_budget != NO_BUDGET:
        seconds = max(1, round(budget_window.total_seconds())) if budget_window else 0
        ends = round(time.time()) + seconds if seconds else 0
        budget = TokenBudget(token_budget, window_end=ends, window_seconds=seconds)
    elif budget_window is not None:
        raise click.UsageError("--budget-window requires --token-budget N")
    serve(
        host,
        port,
        out.common.path(db),
        token,
        lambda url: out.result(f"{url}\n"),
        scenario=SCENARIOS[scenario](work_time.total_seconds()),
        budget=budget,
        no_budget=token_budget == NO_BUDGET,
        streams_end=streams == "end",
    )
    return 0
