"""schemas/state.schema.json describes exactly what the structs of the state are written as."""

from __future__ import annotations

import json
import re

import pytest
from msgspec import NODEFAULT
from msgspec.structs import fields

from reconciler.model.reference import Reference, is_state_id
from reconciler.model.service import Identity
from reconciler.model.task import Generated
from reconciler.model.value import Stored
from reconciler.state.attempt import (
    OUTPUTS,
    Attempt,
    Author,
    Baseline,
    HistoryEntry,
    Move,
    Provenance,
    RecordChange,
    RetiredTask,
)
from reconciler.state.codec import StateFile
from reconciler.state.model import Record
from reconciler.system.resources import schema_text

SCHEMA = json.loads(schema_text("state"))
DEFINITIONS = SCHEMA["definitions"]
STORED = (
    Attempt,
    Baseline,
    Generated,
    HistoryEntry,
    Identity,
    Move,
    Provenance,
    Record,
    RecordChange,
    RetiredTask,
    Author,
)
NAMED: dict[type[Stored], set[str]] = {Record: {"task"}}
"""The fields that a file lacks, because the item's name has them."""

ALWAYS: dict[type[Stored], set[str]] = {StateFile: {"checksum"}, Attempt: {"task"}}
"""The fields that have a default, and are always written."""


def test_every_definition_of_an_object_is_that_of_a_struct() -> None:
    assert {name for name in DEFINITIONS if name[0].isupper()} == {kind.__name__ for kind in STORED}


@pytest.mark.parametrize("kind", [StateFile, *STORED])
def test_the_fields_of_a_struct_are_the_properties_of_its_schema(kind: type[Stored]) -> None:
    schema = SCHEMA if kind is StateFile else DEFINITIONS[kind.__name__]
    known = {f.encode_name: f for f in fields(kind) if f.encode_name not in NAMED.get(kind, ())}
    assert list(schema["properties"]) == list(known)
    needed = {
        name
        for name, field in known.items()
        if field.default is NODEFAULT and field.default_factory is NODEFAULT
    }
    assert set(schema.get("required", ())) == needed | ALWAYS.get(kind, set())
    assert schema["additionalProperties"] is False


def test_example_references_and_state_ids_are_valid() -> None:
    text = json.dumps(SCHEMA)
    found = re.findall(r'"(\S+/\d+ [a-z-]+)"', text)
    assert len(found) > 3
    assert all(Reference.parse(each) for each in found)
    provenance = DEFINITIONS["Provenance"]["properties"]
    examples = [*provenance["ids"]["examples"], *provenance["answered"]["examples"]]
    assert all(is_state_id(state_id) for ids in examples for state_id in ids)


def test_the_outputs_of_a_task_are_described() -> None:
    assert tuple(DEFINITIONS["outputs"]["properties"]) == OUTPUTS
