"""`taskctl logs KEY`: the conversation of a task."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import click

from reconciler.cli.completion.candidates import recorded_keys
from reconciler.cli.console.output import Output
from reconciler.cli.options.service import Connection, connection_options
from reconciler.cli.options.shared import common_options, make_command
from reconciler.model.errors import TaskctlError

if TYPE_CHECKING:
    from reconciler.app.task_sessions import Watched
    from reconciler.state.model import Record
    from reconciler.tasks.events import Event


@make_command(
    "logs",
    examples=[
        ("taskctl logs rotate-iam-keys", "what was said and done so far"),
        ("taskctl logs rotate-iam-keys --follow", "and what comes, until the task ends"),
        ("taskctl logs rotate-iam-keys --since 10m -v", "whole, of the last ten minutes"),
        ("taskctl logs rotate-iam-keys --format json", "for a program: one event a line"),
    ],
)
@click.argument("key", metavar="KEY", shell_complete=recorded_keys)
@click.option("-f", "--follow", is_flag=True, help="Go on until the task has nothing left to do.")
@click.option("--since", metavar="DURATION|TIME", help="Only what is not older, or not before it.")
@connection_options
@common_options
def command(
    key: str,
    follow: bool,  # noqa: FBT001 - click passes it by name
    since: str | None,
    connection: Connection,
    out: Output,
) -> int:
    """Show the conversation of a task: user, assistant, tools, approvals, warnings, errors.

    Times are UTC. What the service sends is shown as text: it steers no terminal.
    """
    from reconciler.app.context import utcnow
    from reconciler.app.task_sessions import watched

    with watched(connection, out) as tasks:
        record = tasks.record(key)
        now = tasks.client.service_clock() or utcnow()
        begin = None if since is None else _moment(since, now)
        try:
            _write(out, _events(tasks, record, follow=follow), begin)
        except KeyboardInterrupt:
            if not follow:
                raise
            return 130  # how a person ends it
    return 0


def _events(tasks: Watched, record: Record, *, follow: bool) -> Iterator[Event]:
    """TaskctlError where the service shows no such task to this token."""
    from reconciler.app.task_sessions import not_visible_error

    org_name = record.ref.org_name
    if tasks.client.get_task(org_name, record.task_id) is None:
        raise not_visible_error(tasks, record)
    if not follow:
        yield from tasks.following.events(org_name, record.task_id, None)[0]
        return
    from reconciler.remote.event_stream import EventStream

    stream = EventStream(tasks.client, tasks.following, time.sleep)
    yield from stream.events(org_name, record.task_id)


def _write(out: Output, events: Iterable[Event], begin: datetime | None) -> None:
    from reconciler.render.conversation import ConversationText
    from reconciler.render.json import line
    from reconciler.tasks.conversation import Conversation
    from reconciler.tasks.events import moment_of

    conversation = Conversation()
    rich = out.is_terminal(sys.stdout)
    text = ConversationText(out.style_of_result(), rich=rich)
    for event in events:
        entries = conversation.entries(event)
        at = moment_of(event)
        if begin is not None and at is not None and at < begin:
            continue
        as_json = out.common.format == "json"
        out.document(line(event) if as_json else text.text(entries))


def _moment(since: str, now: datetime) -> datetime:
    """`10m` before now, or a moment itself. TaskctlError for what is neither."""
    from reconciler.model.options import parse_duration
    from reconciler.model.task import instant

    found = instant(since)
    if found is not None:
        return found
    try:
        return now - parse_duration(since)
    except (TaskctlError, OverflowError):
        raise TaskctlError.of(
            f"--since: {since!r} is neither a duration nor a time",
            "Write how long ago (90s, 10m, 2h, 1d) or when: 2026-11-24T14:44:49Z.",
        ) from None
