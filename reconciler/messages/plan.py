"""The wording of plans: what each action means, for legends and summaries."""

from __future__ import annotations

from reconciler.model.codes import Code

ACTIONS = {
    "create": "not created yet",
    "replace": "exists; apply creates a new task to replace it",
    "adopt": "exists but is not recorded; apply records it",
    "move": "recorded under another key; apply moves the record",
    "update": "differs from the manifest; apply updates it in place",
    "changed": "differs from the manifest; apply will not modify it",
    "gone": "recorded but no longer found",
    "forget": "listed under `removed`; apply removes it from the state",
    "orphaned": "no longer in any manifest; apply will not modify it",
    "held": "must not be created yet",
    "unresolved": "may already exist; apply skips it and exits 1",
}
"""What each action of a plan means, for the legend."""

COUNTED = {
    "create": "to create",
    "adopt": "to adopt",
    "replace": "to replace",
    "move": "to move",
    "update": "to update",
    "changed": "differ{s}",
    "forget": "to forget",
}
"""How counts name an action, if not by its own name; `{s}` is an s if there is one."""

FAILURES = {
    Code.UNRESOLVED_TASK: "{count} unresolved",
    Code.ROLLOUT_STOPPED: "{count} rollout{count:s} stopped",
    Code.FAIL_ON: "--fail-on",
}
"""Why apply would exit 1, for the last line of a plan, if not the title of the code."""

WILL_FAIL = "Apply will exit 1: {reasons}."
WILL_FAIL_PARTLY = "Apply will exit 1: {reasons}. It still does the rest."
WILL_FAIL_EARLY = "Apply will exit 1 before it does anything: {reasons}."

CLOSES = "Apply records that {count:n} earlier attempt{count:s} created no task."
"""What apply does if it only resolves attempts for keys that no manifest declares."""

SETTLING = "an earlier attempt may still create it; apply waits"
"""What `unresolved` means if all open attempts are younger than the settle time."""

UNATTENDED = "unattended"
UNATTENDED_MEANS = "approvalMode auto without permissionMode read-only: no one approves its actions"

SHORTENED = " {count:n} prompt{count:s} {are} shortened; -v shows them."
