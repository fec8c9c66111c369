"""The table of task settings.

A new setting needs a row here and a schema in `schemas/manifest.schema.json`, and nothing else in
plan, apply, import and reports; `tests/acceptance/test_fields.py` then proves that it works.
Sources: the API document (`CreateAgentTaskRequest`, `UpdateTaskRequest`, `AgentTask`), and
docs/changed-tasks.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reconciler.model.value import Value


class Field(Value, frozen=True):
    """One setting, by Pulumi's own name.

    - `choices`: all its values, if it is an enumeration.
    - `default`: the service's value if the create request omits it; None if that is not documented.
    - `sent`: part of the create request; otherwise a PATCH right after creation sets it.
    - `patched`: its creator can change it later, so the plan shows remote changes of it; otherwise
      it is fixed at creation.
    - `drifts`: no client can change it after creation, but the service may; plans then show the
      change.
    - `returned`: the API returns it; otherwise it cannot be compared.
    - `careful`: its values from the least to the most careful, if it restricts the agent.
    - `imported`: import writes the service's value as is; message and name need special handling.
    """

    name: str
    choices: tuple[str, ...] = ()
    default: Any = None
    sent: bool = True
    patched: bool = False
    drifts: bool = False
    returned: bool = True
    careful: tuple[str, ...] = ()
    imported: bool = True


FIELDS = (
    Field("name", sent=False, patched=True, imported=False),
    Field(
        "approvalMode",
        choices=("manual", "auto", "balanced"),  # default: the organization's setting
        careful=("auto", "balanced", "manual"),
        patched=True,
    ),
    Field(
        "permissionMode",
        choices=("default", "read-only"),
        careful=("default", "read-only"),
        default="default",
        patched=True,
    ),
    Field("planMode", default=False),
    Field("role", default="", patched=True),
    Field("agentDefinitionId", default="", drifts=True),
    Field("cliIntegrations", returned=False),
    Field("enabledIntegrations", returned=False),
    Field("isShared", default=False, sent=False, patched=True),
    Field(
        "source",
        choices=("api", "console", "cli", "slack", "schedule", "github", "code-review"),
        default="api",
    ),
    Field(
        "toolExecutionMode",
        choices=("cloud", "cli", "worker"),
        default="cloud",
    ),
    Field("message", returned=False, imported=False),
)
"""All settings, in the order of reports."""

BY_NAME = {field.name: field for field in FIELDS}


def _names(chosen: Callable[[Field], bool]) -> tuple[str, ...]:
    return tuple(field.name for field in FIELDS if chosen(field))


NAMES = tuple(field.name for field in FIELDS)
DEFAULTS = {field.name: field.default for field in FIELDS if field.default is not None}
SENT = _names(lambda field: field.sent)
PATCHED = _names(lambda field: field.patched)
DRIFTING = _names(lambda field: field.drifts)
COMPARED = _names(lambda field: field.patched or field.drifts)
PATCHED_AFTER_CREATE = _names(lambda field: not field.sent)
CAREFUL = {field.name: field.careful for field in FIELDS if field.careful}
NOT_RETURNED = _names(lambda field: not field.returned and field.name != "message")
IMPORTED = _names(lambda field: field.imported)
CHOSEN = _names(lambda field: bool(field.choices))
