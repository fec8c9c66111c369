"""The wording of plans: what each action and reason means, and what is said about a task.

A remark's `detail` introduces its `command`, which may have several lines: one command each.
"""

from __future__ import annotations

from reconciler.messages.entry import Message

ACTIONS = {
    "create": "not created yet",
    "replace": "exists; apply creates a new task to replace it",
    "adopt": "exists but is not recorded; apply records it",
    "move": "recorded under another key; apply moves the record",
    "update": "differs from the manifest; apply updates it in place",
    "changed": "differs from the manifest; apply will not modify it",
    "gone": "recorded but no longer found",
    "orphaned": "no longer in any manifest; apply will not modify it",
    "unresolved": "may already exist; apply will fail until you resolve it",
}
"""What each action of a plan means, for the legend."""

SETTLING = "an earlier attempt may still create it; apply waits"
"""What `unresolved` means if all that is unresolved is younger than the settle time."""

UNATTENDED = "unattended"
UNATTENDED_MEANS = "approvalMode is auto, not read-only: runs without approval"

_RESOLVE = "Check the service, then record what you found:"
_NOT_CREATED = "taskctl state resolve {ref:sh} --not-created"

REMARKS = {
    # What follows from the reason alone
    "new": Message(""),
    "same": Message(""),
    "differs": Message(""),
    "retry": Message("an earlier attempt created no task; apply tries again"),
    "taskID": Message("named by `taskID` in the manifest"),
    "attempt": Message("created by an earlier attempt whose response was lost"),
    "lookAlike": Message("same prompt as an existing task that is not recorded"),
    "moved": Message("recorded under another key; apply moves the record"),
    "asked": Message("--replace requests a new task"),
    "inPlace": Message("apply updates its settings in place"),
    "unfinished": Message("created; some settings are not set yet"),
    "notFound": Message("no longer found; apply will not recreate it"),
    "recreate": Message("no longer found; apply creates it again"),
    "removed": Message("no longer in any manifest"),
    "notVisible": Message("created by another identity and not visible to this one"),
    "fresh": Message("created moments ago; the service may not list it yet"),
    "settling": Message("the outcome of an attempt is not known yet; apply waits for it"),
    "ambiguous": Message("more than one task may be this one"),
    "unreadable": Message("existing tasks could not be read completely"),
    "otherIdentity": Message("another identity made the attempt"),
    "otherOrg": Message("recorded under another organization"),
    "renamed": Message("same prompt as a task that was removed from the manifests"),
    "conflict": Message("its taskID was not found, or is recorded otherwise"),
    # Recorded tasks
    "moved.from": Message("recorded as {old}; apply moves the record to this key"),
    "notVisible.to": Message("created by {maker}, not visible to {caller}; assumed to exist"),
    "gone.kept": Message(
        "task {task_id} was not found; apply will not recreate it",
        "To create it again:",
        "taskctl apply --allow-recreate={key:sh}",
    ),
    "gone.recreate": Message("task {task_id} was not found; apply creates it again"),
    "gone.taskID": Message(
        "task {task_id} was not found; a task with `taskID` is never created",
        "To remove the record:",
        "taskctl state rm {ref:sh}",
    ),
    "orphaned": Message(
        "no longer in any manifest; apply will not modify it",
        "To remove it from the state (the task itself keeps running):",
        "taskctl state rm {ref:sh}",
    ),
    "unfinished.settings": Message("created; apply still has to set {names:and}"),
    # Adoption
    "adopt.named": Message("{name:q}: {url}"),
    "adopt.unnamed": Message("task {task_id}: {url}"),
    "adopt.local": Message("task {task_id}"),
    "adopt.age": Message("created {seconds:age} ago"),
    "adopt.age_by": Message("created {seconds:age} ago by {login}"),
    "adopt.by": Message("created by {login}"),
    "adopt.not_compared": Message("cannot compare {names:and} (not returned by the API)"),
    "adopt.separate": Message("", "To create a separate task, set `adopt: false` on {key}."),
    "unsure.redacted": Message(
        "task {task_id} may be this one: same prompt except for credentials that the service"
        " redacted"
    ),
    "unsure.entities": Message(
        "task {task_id} may be this one: same prompt, but the service shows fewer entities"
    ),
    "unsure.unreadable": Message(
        "task {task_id} may be this one: its first message could not be read ({why})"
    ),
    "unsure.cut_short": Message(
        "the search for existing tasks reached its limit before all of them were read",
        "To read more of them, raise the limit:",
        "taskctl plan --adopt-limit 10000",
    ),
    "unsure.unlisted": Message("the list of tasks cannot be relied on ({why})"),
    "unsure": Message(
        "",
        "If no such task exists, set `adopt: false` on {key} or run:",
        "taskctl apply --adopt none",
    ),
    # A taskID, an organization or a name that does not fit the state
    "taskID.not_found": Message(
        "taskID {task_id} was not found or is not visible to this token; it is never created",
        "Correct the taskID, or use a token of the user who created the task.",
    ),
    "taskID.other": Message(
        "the manifest has taskID {task_id}, the state has {recorded}",
        "To adopt {task_id} instead, remove the record and apply again:",
        "taskctl state rm {ref:sh}",
    ),
    "taskID.owned": Message(
        "taskID {task_id} is already recorded for {owner}",
        "To move that record to this key:",
        "taskctl state mv {owner:sh} {ref:sh}",
    ),
    "taskID.replaced": Message(
        "taskID {task_id} was the task of {owner} before it was replaced",
        "Remove the taskID from the manifest, or remove the record of {owner}:",
        "taskctl state rm {owner:sh}",
    ),
    "taskID.attempted": Message(
        "the manifest has taskID {task_id}, and the attempt of {at} created {found}",
        "Keep one of them, cancel the other, and record the one you keep:",
        "taskctl state resolve {ref:sh} --task-id {task_id:sh}",
    ),
    "taskID.claimed": Message(
        "taskID {task_id} is being replaced by an open attempt of {owner}",
        "To resolve that attempt first:",
        "taskctl apply",
    ),
    "otherOrg.recorded": Message(
        "recorded under {recorded}, but the organization now resolves to {org} from outside the"
        " manifest",
        "Set `orgName` in {file}, or run:",
        "taskctl apply --org {recorded:sh}",
    ),
    "otherOrg.manifest": Message(
        "recorded under {recorded}, and its manifest now says {org}",
        "If the organization was renamed, move the record; if this is a new task, add"
        " `adopt: false`:",
        "taskctl state mv {old_ref:sh} {ref:sh}",
    ),
    "otherOrg.attempt": Message(
        "an attempt to create it under {recorded} is open, and the organization now resolves to"
        " {org}",
        "To resolve the attempt:",
        "taskctl apply --org {recorded:sh}\ntaskctl state resolve {old_ref:sh} --not-created",
    ),
    "org.refused": Message(
        "organization {org} could not be read: {why}",
        "The other organizations are not affected. To leave it out:",
        "taskctl apply --exclude {pattern:sh}",
    ),
    "renamed.from": Message(
        "same prompt as {old}, which was removed",
        "If you renamed {old}, add `movedFrom: {old}`; if this is a new task, add `adopt: false`."
        " Without changing the manifest:",
        "taskctl state mv {old_ref:sh} {ref:sh}",
    ),
    # Attempts
    "attempt.found": Message("created by the attempt of {at}, whose response was lost"),
    "attempt.orphaned": Message(
        "created by the attempt of {at}, whose response was lost; no longer in any manifest"
    ),
    "attempt.none": Message("the attempt of {at} created no task; apply tries again"),
    "attempt.settling": Message(
        "the outcome of the attempt of {at} is not known yet; it may still create the task",
        "apply waits until the outcome is certain:",
        "taskctl apply",
    ),
    "attempt.settling_orphan": Message(
        "the outcome of the attempt of {at} is not known yet; no longer in any manifest",
        "apply waits until the outcome is certain:",
        "taskctl apply",
    ),
    "attempt.record_lost": Message(
        "the attempt of {at} was meant to replace task {old} and created none; the record of {old}"
        " is lost, so creating a task now could start a second agent",
        _RESOLVE,
        "taskctl state resolve {ref:sh} --task-id {old:sh}\n" + _NOT_CREATED,
    ),
    "attempt.unresolved": Message("the attempt of {at} may have created a task"),
    "attempt.other_identity": Message(
        "another identity made the attempt, and only that identity can look it up"
    ),
    "attempt.doubtful": Message(
        "{ids:and} has its mark or its prompt, but does not match entirely"
    ),
    "attempt.possible": Message(
        "it is not known whether the service preserves marks, and {ids:and} may be it"
    ),
    "attempt.unlisted": Message("the list of tasks cannot be relied on ({why})"),
    "attempt.limit": Message(
        "not created: at most {limit} tasks may be",
        "To allow more:",
        "taskctl apply --max-creates N",
    ),
    "attempt.unreadable": Message(
        "the first message of {ids:and} could not be read ({why})",
    ),
    "attempt.ambiguous": Message("more than one way to match its prompt with {ids:and}"),
    "attempt.resolve": Message(
        "",
        _RESOLVE,
        "taskctl state resolve {ref:sh} --task-id {task_id:sh}\n" + _NOT_CREATED,
    ),
    "attempt.resolve_orphan": Message("", _RESOLVE, _NOT_CREATED),
    "attempt.rounds": Message(
        "sent {rounds} times without a response or a task",
        "Once the service responds again:",
        "taskctl apply",
    ),
    "attempt.rounds_replace": Message(
        "sent {rounds} times without a response or a task",
        "Once the service responds again:",
        "taskctl apply --replace {request:sh}",
    ),
    "attempt.replaces": Message("replaces task {old}"),
    "attempt.replaces_and_cancels": Message("replaces task {old}, which apply then cancels"),
    # Replacement
    "replace.gone": Message("apply creates a new task to replace {old}, which no longer exists"),
    "replace.cancel": Message("apply creates a new task to replace {old}, then cancels {old}"),
    "replace.keep": Message("apply creates a new task to replace {old}, which keeps running"),
    # Updates
    "update.set": Message("apply sets {names:and}"),
    "update.agreed": Message("apply records {names:and}, already set by the service"),
    "update.rest": Message("{names:and} will not change"),
    "update.possible": Message("", "To update {names:and} in place:", "taskctl apply --update"),
    "update.conflict": Message(
        "{names:and} changed both in the manifest and remotely; --update will not modify it"
    ),
    "update.removed": Message("{names:and} removed from the manifest; the remote value stays"),
    "update.only_new": Message(
        "", "To apply {names:and}, create a new task:", "taskctl apply --replace {key:sh}"
    ),
}
