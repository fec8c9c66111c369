"""The JSON Schema of the state file, from the stored types and this table of descriptions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from reconciler.state.attempt import OUTPUTS
from reconciler.state.codec import PARTS

KEY = {"pattern": "^[^/]+/[^/]"}
MARK = {
    "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{5}[1-9]Z$",
}
FILLED = {"minLength": 1}
A_MARK = "2026-11-24T14:44:49.123456Z"
A_TASK = "0192f0c4-5a1e-7c33-9d58-1f2e3d4c5b6a"
A_BASELINE = "0a1b2c3d4e5f6071"
A_REF = "acme/rotate-iam-keys"


class Field(NamedTuple):
    """A description, an example, and what the schema says beyond the type."""

    text: str
    example: Any
    extra: Mapping[str, Any] = {}


COMMON: Mapping[str, Field] = {
    "task": Field("The key, as ORGANIZATION/KEY.", A_REF, KEY),
    "taskId": Field("The task ID.", A_TASK, FILLED),
    "file": Field("The manifest that declares, or declared, the task.", "tasks/iam.yaml"),
    "inputs": Field(
        "The settings with which the task was created, named as in a manifest, and the message as "
        "an object. For an adopted task, the settings in the manifest at that time.",
        {"message": {"content": "Rotate every IAM access key."}, "planMode": True},
    ),
    "digest": Field(
        "The SHA-256 digest of the inputs, as JSON with sorted keys and no whitespace.",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        FILLED,
    ),
    "identity": Field(
        "The user whose token created the task. Another user may not see it, so its absence is "
        "evidence only for this user.",
        {"id": "a1b2c3", "login": "octocat"},
    ),
    "sensitive": Field(
        "Whether reports show only a digest of the prompt. This file contains the prompt. Absent: "
        "false.",
        True,
    ),
    "generated": Field(
        "The entry (`forEach`, `every`) that generated the task. Absent: the manifest declares the "
        "task itself.",
        {"entry": "cost-review", "period": "2026-11"},
    ),
    "createdAt": Field(
        "When the create request was answered, or the task was adopted, by the service's clock if "
        "it was known.",
        A_MARK,
    ),
    "marks": Field(
        "The marks of all attempts for the key. A task with one of them belongs to no other key.",
        [A_MARK],
    ),
    "outputs": Field(
        "The outputs of the task as last read. They are refreshed only in a write that is needed "
        "for another reason, so they may be old. A field without a value is absent.",
        {"tokensUsed": 51200},
    ),
    "formerTaskIds": Field(
        "The tasks that the key had before. They are never adopted for another key.",
        [A_TASK],
    ),
}
"""Fields that mean the same in several types. The second value is an example, the third is added to
the schema."""

FIELDS: Mapping[str, Mapping[str, Field]] = {
    "State": {
        "lineage": Field(
            "A random ID that the state keeps. Two files with the same ID are versions of one "
            "state, and a journal belongs to the state with its ID.",
            "5f0c1b9de2a74a6f8f3b7d1c9a04e6b2",
            FILLED,
        ),
        "serial": Field("The number of times the state was written.", 12, {"minimum": 0}),
        "backend": Field(
            "The service on which the tasks run. A run with another backend rejects the state.",
            "https://api.pulumi.com",
            FILLED,
        ),
        "isNew": Field(
            "True until an apply of all manifests has compared every key. Until then, "
            "unrecorded tasks of any age may exist. Absent: false.",
            True,
        ),
        "baselines": Field(
            "The newest tasks of an organization at one moment, by name. No later attempt created "
            "any of them. Absent: none.",
            {A_BASELINE: {"orgName": "acme", "ids": ["t-2", "t-1"]}},
        ),
        "latest": Field(
            "The name of the baseline that the last apply of all manifests has read, by "
            "organization. Its tasks were compared with every key. Absent: none.",
            {"acme": A_BASELINE},
        ),
        "retired": Field(
            "Tasks whose record was removed, by task ID. Absent: none.",
            {},
        ),
        "move": Field(
            "Why only `taskctl state migrate` may use this state. Absent: it is in use.",
            {"stage": "movedTo", "place": "git:origin#refs/taskctl/state/default"},
        ),
        "journal": Field(
            "The ID of the journal that was folded in last. Absent: none.", A_BASELINE
        ),
    },
    "Record": {
        "pending": Field(
            "Settings that still have to be set after creation. Absent: none.",
            {"name": "Rotate IAM keys"},
        ),
        "history": Field(
            "The latest 50 events of the key. Absent: it was only created or adopted.",
            [{"what": "created"}, {"what": "replaced"}],
        ),
        "duplicateTaskIds": Field(
            "Other tasks with a mark of this key: a request that was delivered twice. Absent: "
            "none.",
            [A_TASK],
        ),
        "owedCancellations": Field(
            "Cancellations that were requested and that the service has not accepted yet. Absent: "
            "none.",
            [{"taskId": "t-1", "identity": {"id": "a1b2c3"}}],
        ),
        "done": Field(
            "Whether the task has been done, which rollouts and `after` remember. Absent: unknown.",
            True,
        ),
        "met": Field(
            "The digest of the expectation that it met when it was done. Absent: none.",
            "sha256:1d2c",
        ),
        "expects": Field("Whether its manifest had an expectation at the last apply.", True),
    },
    "Attempt": {
        "startedAt": Field("When the attempt started, by the machine's clock.", A_MARK),
        "replaces": Field("The task that the new task replaces. Absent: none.", A_TASK),
        "cancels": Field(
            "Whether `--cancel-replaced` asked to cancel the replaced task. Absent: false.",
            True,
        ),
        "settleTime": Field(
            "The settle time in seconds with which the request was sent.",
            150,
            {"minimum": 0},
        ),
        "window": Field(
            "The request was sent within this many seconds of its journal entry, or never. "
            "Absent: 10.",
            1,
            {"minimum": 0},
        ),
        "waited": Field(
            "The total seconds for which applies have waited for its outcome. Absent: 0.",
            45,
            {"minimum": 0},
        ),
        "baseline": Field("The name of the baseline that was read before it.", A_BASELINE),
    },
    "Baseline": {
        "orgName": Field("The organization.", "acme", FILLED),
        "ids": Field("Task IDs, newest first.", ["t-2", "t-1"]),
    },
    "RetiredTask": {
        "at": Field("When the record was removed. Absent: unknown.", A_MARK),
        "adoptable": Field(
            "Whether a manifest may adopt the task again, because it was removed manually. Absent: "
            "false.",
            True,
        ),
    },
    "KeyNotes": {
        "removed": Field(
            "The last task that `state rm` removed from the key. Absent: none.",
            "t-1",
        ),
        "notCreated": Field(
            "Whether a person said that no task of the key exists (`state resolve --not-created`), "
            "so that its next attempt is not compared with existing tasks. Absent: false.",
            True,
        ),
    },
    "Owed": {},
    "Move": {
        "stage": Field(
            "`movingTo`: the move was interrupted, and this state is complete. `movedTo`: the state "
            "is at the other location. `movingFrom`: this state is not in use yet.",
            "movedTo",
        ),
        "place": Field("The other location.", "git:origin#refs/taskctl/state/default", FILLED),
    },
    "HistoryEntry": {
        "what": Field(
            "`created`, `adopted`, `moved` (to this key), `updated` (settings, in place), "
            "`replaced` (requested), `recreated` (the previous task was gone) or `notCreated` (an "
            "attempt that created no task). More may be added.",
            "created",
            FILLED,
        ),
        "at": Field("When it happened, by the service's clock if it was known.", A_MARK),
        "taskId": Field("The task that the key has had since then.", A_TASK),
        "mark": Field("The mark of the attempt.", A_MARK),
        "detail": Field(
            "The settings that were updated, the key from which it was moved, the task that was "
            "replaced, or why an attempt created no task.",
            "approvalMode, name",
        ),
    },
    "Identity": {
        "id": Field("The user's ID.", "a1b2c3", FILLED),
        "login": Field("The user's login, for display.", "octocat"),
        "organization": Field("The organization to which the token is limited.", "acme"),
        "team": Field("The team to which the token is limited.", "platform"),
    },
    "Generated": {
        "entry": Field("The key of the entry.", "rotate-keys", FILLED),
        "values": Field(
            "The values by axis, or by axis and field. Absent: none.",
            {"stack.name": "network", "region": "eu"},
        ),
        "period": Field("The name of the period. Absent: the entry has no periods.", "2026-11"),
    },
}
"""The fields of each stored type that are not common, by their names in JSON."""

OWN: Mapping[str, Field] = {
    "version": Field(
        "The version of this format. Older versions of taskctl reject a newer one.", 1
    ),
    "checksum": Field(
        "CRC-32 of the rest of the file: damage to a key would make a task look missing. After "
        "merging or editing the file manually, delete the line; the next apply writes it again.",
        "893be2eb",
        {"pattern": "^[0-9a-f]{8}$"},
    ),
    "attempts": Field(
        "Attempts to create a task whose outcome is unknown, by their marks: the times sent with "
        "their messages, in UTC with microseconds, unique in the state.",
        {},
    ),
    "keys": Field(
        "Information about keys without a task, by ORGANIZATION/KEY. Absent: none.",
        {A_REF: {"removed": "t-1"}},
    ),
    "tasks": Field("The recorded tasks, by ORGANIZATION/KEY.", {}),
}

OUTPUT_TEXTS: Mapping[str, Field] = {
    "asyncTriggerType": Field("What triggered the task, if not a user.", "schedule"),
    "contextCompactionThresholdPercent": Field(
        "How full the context may become, in percent, before it is compacted.",
        80,
    ),
    "contextUsedTokens": Field("Tokens in the context.", 24310),
    "contextWindowTokens": Field("Tokens that fit into the context.", 200000),
    "createdAt": Field(
        "When the task was created, according to the service.", "2026-11-24T14:44:50Z"
    ),
    "createdBy": Field("The creator, according to the service.", {"githubLogin": "octocat"}),
    "entities": Field(
        "The stacks, repositories and other entities that the agent works on. The agent changes "
        "them.",
        [{"type": "repository", "name": "infra"}],
    ),
    "isShared": Field("Whether the organization can see the task.", True),
    "lastHeartbeat": Field("The agent's last heartbeat.", "2026-11-24T15:02:11Z"),
    "name": Field("The display name.", "Rotate IAM keys"),
    "runtimePhase": Field("The phase of the agent's runtime.", "running"),
    "sharedAt": Field("When the task was shared.", "2026-11-24T14:44:51Z"),
    "sourceAutomationID": Field("The automation that created the task, if any.", "auto-17"),
    "status": Field("The status that the service reports.", "idle"),
    "taskType": Field("The type of the task.", "default"),
    "tokensUsed": Field("Tokens used by the task.", 51200),
}


def state_schema() -> str:
    """The text of schemas/state.schema.json. Raises KeyError for a field without a description."""
    kinds = [part.stored for part in PARTS]
    _, definitions = msgspec.json.schema_components(
        kinds, ref_template="#/definitions/{name}", schema_hook=lambda _: {"title": "any"}
    )
    definitions = _untitled(definitions)
    for name, definition in definitions.items():
        _describe(name, definition)
    state: dict[str, Any] = definitions.pop("State")
    whole = {
        "version": _property(OWN["version"], {"const": 1}),
        "checksum": _property(OWN["checksum"], {"type": "string"}),
        **state["properties"],
        "attempts": _map("attempts", "Attempt", MARK),
        "keys": _map("keys", "KeyNotes", KEY),
        "tasks": _map("tasks", "Record", KEY),
    }
    required = ["version", "checksum", *state["required"], "attempts", "tasks"]
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "urn:taskctl:schema:state:1",
        "title": "taskctl state",
        "description": "The task that each key of the manifests has, and the attempts whose outcome "
        "is unknown. Written only by taskctl.",
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": whole,
        "definitions": dict(sorted(definitions.items())),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _untitled(value: Any) -> Any:
    """Without the titles and docstrings of types."""
    if isinstance(value, list):
        return [_untitled(item) for item in value]
    if not isinstance(value, dict):
        return value
    is_schema = isinstance(value.get("title"), str)
    left_out = ("title", "description") if is_schema else ()
    return {name: _untitled(item) for name, item in value.items() if name not in left_out}


def _describe(name: str, definition: dict[str, Any]) -> None:
    if "properties" not in definition:  # an enumeration
        return
    own = dict(FIELDS[name])
    for field, value in definition.get("properties", {}).items():
        row = own.pop(field) if field in own else COMMON[field]
        value.pop("default", None)
        definition["properties"][field] = _property(row, value)
        if field == "outputs":
            outputs = {n: _property(OUTPUT_TEXTS[n], {}) for n in OUTPUTS}
            definition["properties"][field] |= {"properties": outputs}
            definition["properties"][field]["additionalProperties"] = False
    if own:
        raise KeyError(f"{name} has no field {', '.join(own)}")


def _property(row: Field, value: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": row.text, **value, **row.extra, "examples": [row.example]}


def _map(field: str, kind: str, names: Mapping[str, Any]) -> dict[str, Any]:
    items = {"$ref": f"#/definitions/{kind}"}
    members = {"type": "object", "propertyNames": dict(names), "additionalProperties": items}
    return _property(OWN[field], members)
