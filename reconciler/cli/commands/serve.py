"""`taskctl serve`: the embedded service for several clients, over HTTP."""

from __future__ import annotations

from datetime import timedelta

import click

from reconciler.cli.follow_options import duration
from reconciler.cli.options import common_options, make_command
from reconciler.cli.output import Output


@make_command(
    "serve",
    examples=[
        ("taskctl serve", "http://127.0.0.1:8765, any token is taken"),
        ("taskctl serve --port 0 --db /tmp/demo.db", "a free port, a file of its own"),
        ("taskctl serve --life approving", "tasks that ask for approval, to try `approve` on"),
        ("taskctl plan --backend http://127.0.0.1:8765", "in another terminal"),
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
@click.option("--token", metavar="T", help="The only token to take; without it any is taken.")
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
@common_options
def command(
    host: str,
    port: int,
    db: str,
    token: str | None,
    life: str,
    work_time: timedelta,
    out: Output,
) -> int:
    """Serve the embedded service over HTTP until SIGINT or SIGTERM.

    Its address is printed on a line of its own once it listens.
    """
    from reconciler import collector
    from reconciler.engine.lives import LIVES
    from reconciler.engine.server import serve

    collector.resume()
    lived = LIVES[life](work_time.total_seconds())
    path = out.common.path(db)
    serve(host, port, path, token, lambda url: out.result(f"{url}\n"), life=lived)
    return 0
