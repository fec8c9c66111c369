"""The wording of apply: what is said about a task that it acted on."""

from __future__ import annotations

from reconciler.messages.entry import Message

REMARKS = {
    "apply.state": Message("{why}"),
    "apply.no_manifest": Message("no manifest says what to create"),
    "apply.no_list": Message("not sent, since the list of tasks could not be read: {why}"),
    "apply.known_id": Message("the response has task {task_id}, which another key has or had"),
    "apply.rate_limited": Message(
        "the service limits the rate of creates", "To go on later:", "taskctl apply"
    ),
    "apply.unreachable": Message("the service is unreachable"),
    "apply.refused": Message("{why} (HTTP {status})"),
    "apply.used_up": Message(
        "", "Once the budget window has ended or the limit is raised:", "taskctl apply"
    ),
    "apply.unknown": Message("{why}"),
    "apply.not_sent": Message("{why}"),
    "apply.not_recorded": Message(
        "created, but could not be recorded ({why})", "The next apply finds it:", "taskctl apply"
    ),
    "apply.look_up": Message("", "To look it up again:", "taskctl apply"),
    "apply.lookup_failed": Message("the lookup failed: {why}"),
    "apply.not_cancelled": Message(
        "task {old} could not be cancelled: {why}",
        "It may still be running. Try again:",
        "taskctl cancel {ref:key} --task {old:id}",
    ),
    "patch.unfinished": Message(
        "created, but {names:and} could not be set: {why}", "To try again:", "taskctl apply"
    ),
    "patch.ignored": Message("the service accepted the update but did not change {names:and}"),
    "patch.failed": Message("not updated: {why}"),
}
