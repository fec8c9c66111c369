"""`taskctl results`: shows the results of tasks."""

from __future__ import annotations

from reconciler.cli import exit_codes
from reconciler.cli.command import Call, make_command
from reconciler.cli.options import READS, SELECTION, option
from reconciler.render import KEYS, TABLE_FORMATS


@make_command(
    "results",
    SELECTION,
    option(
        "--exit-code",
        "exits",
        is_flag=True,
        help="Exit 1 if some tasks failed or are unmet; otherwise 3 if some wait for a person, "
        "2 if some are running, 0 if all are done.",
    ),
    *READS,
    reports=True,
    formats=(*TABLE_FORMATS, *KEYS),
    examples=[
        ("taskctl results", "show the pull requests and answers of all tasks"),
        ("taskctl results upgrade -v", "show the full answers of the tasks of an entry"),
        ("taskctl results --format json", "print JSON with the data in each answer, for scripts"),
        ("taskctl results --format csv > results.csv", "write a CSV file, with the tokens used"),
        ("taskctl results --report markdown=results.md", "also write a report for a comment"),
    ],
)
def command(call: Call, selectors: tuple[str, ...], exits: bool) -> int:
    """Show the results of tasks: their answers, the data in them, and their pull requests. Changes
    nothing.

    The answer is the last message of a task that has finished, and the data is the last JSON block
    in it. Pull requests are those that the service lists, whether or not they are open.
    Markdown reports contain answers only with -v. CSV has rows for replaced and removed tasks, too.
    """
    from reconciler.app.results import results

    with_others = call.out.options.format in TABLE_FORMATS
    report = results(call.ctx, selectors, with_others=with_others)
    call.out.report(report)
    return exit_codes.of_statuses(report.statuses, report.diagnostics) if exits else 0
