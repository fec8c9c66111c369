"""TC7xx: the service, the way to it, and who asks."""

from __future__ import annotations

from reconciler.messages import connection, credentials, key_problems, task_messages

ENTRIES = {
    **connection.ENTRIES,
    **credentials.ENTRIES,
    **task_messages.ENTRIES,
    **key_problems.ENTRIES,
}
