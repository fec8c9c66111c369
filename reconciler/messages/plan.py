"""The wording of plans: what each action means, for legends and summaries."""

from __future__ import annotations

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
    "unresolved": "may already exist; apply will fail until you resolve it",
}
"""What each action of a plan means, for the legend."""

COUNTED = {
    "create": "to create",
    "adopt": "to adopt",
    "replace": "to replace",
    "move": "to move",
    "update": "to update",
    "forget": "to forget",
}
"""How counts name an action, if not by its own name."""

SETTLING = "an earlier attempt may still create it; apply waits"
"""What `unresolved` means if all open attempts are younger than the settle time."""

UNATTENDED = "unattended"
UNATTENDED_MEANS = "approvalMode is auto, not read-only: runs without approval"
