"""`taskctl serve`: the embedded service for several clients, over HTTP."""

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
        raise click.BadParameter(f"{value!r} is no number of tokens, nor none", ctx, param)
    return int(value)


@make_command(
    "serve",
    examples=[
        ("taskctl serve", "at http://127.0.0.1:8765"),
        ("taskctl serve --port 0 --db /tmp/demo.db", "a free port, a file of its own"),
        ("taskctl serve --life approving", "tasks that ask for approval, to try `approve` on"),
        ("taskctl serve --token-budget 50000 --budget-window 1h", "tokens to spend each hour"),
        (
            "PULUMI_ACCESS_TOKEN=any taskctl plan --backend http://127.0.0.1:8765",
            "in another terminal: any token will do, but there must be one",
        ),
    ],
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="Port to listen at; 0 picks a free one.",
)
@click.option(
    "--db",
    default=".taskctl/local.db",
    show_default=True,
    metavar="PATH",
    help="SQLite file that keeps the tasks.",
)
@click.option(
    "--token",
    metavar="T",
    help="The only token to take; without it any will do, but clients must send one.",
)
@click.option(
    "--life",
    type=click.Choice(["finishing", "approving", "failing", "stopping", "slow", "story"]),
    default="finishing",
    show_default=True,
    help="How tasks live; story: as the first word of their prompt says.",
)
@click.option(
    "--work-time",
    callback=duration,
    default="3s",
    show_default=True,
    metavar="DURATION",
    help="How long a task works.",
)
@click.option(
    "--token-budget",
    callback=_tokens,
    metavar="N|none",
    help="Neo tokens that each organization may use, kept in the file; none: no limit any more.",
)
@click.option(
    "--budget-window",
    callback=duration,
    metavar="DURATION",
    help="How long they have to last, from now on and again and again.  [default: for ever]",
)
@common_options
def command(
    host: str,
    port: int,
    db: str,
    token: str | None,
    life: str,
    work_time: timedelta,
    token_budget: int | None,
    budget_window: timedelta | None,
    out: Output,
) -> int:
    """Serve the embedded service over HTTP until SIGINT or SIGTERM.

    Its address is printed on a line of its own once it listens.
    """
    from reconciler import garbage
    from reconciler.embedded.budget import TokenBudget
    from reconciler.embedded.scenarios import LIVES
    from reconciler.embedded.server import serve

    garbage.resume()
    budget = None
    if token_budget is not None and token_budget != NO_BUDGET:
        seconds = max(1, round(budget_window.total_seconds())) if budget_window else 0
        ends = round(time.time()) + seconds if seconds else 0
        budget = TokenBudget(token_budget, window_end=ends, window_seconds=seconds)
    elif budget_window is not None:
        raise click.UsageError("--budget-window says how long --token-budget N has to last: give N")
    serve(
        host,
        port,
        out.common.path(db),
        token,
        lambda url: out.result(f"{url}\n"),
        life=LIVES[life](work_time.total_seconds()),
        budget=budget,
        no_budget=token_budget == NO_BUDGET,
    )
    return 0
