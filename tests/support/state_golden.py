"""The golden state file, and the diagnostics of other files."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.model.diagnostics import Diagnostic, StateError
from reconciler.state.codec import StateSource, decode_state
from reconciler.state.ledger import fold
from reconciler.state.model import Attempted, Recorded, State
from tests.support.diagnostics import explanation
from tests.support.state_samples import BACKEND, attempt, empty, record

GOLDEN = """\
{
  "checksum": "a79681a7",
  "attempts": {
    "2": {
      "digest": "sha256:b4f275cb85be8e7029b3bf23d2406fb284d1fc337eb3ec0de3c2b8cdcf04323f",
      "file": "tasks/a.yaml",
      "identity": {
        "id": "u-1",
        "login": "octocat"
      },
      "inputs": {
        "message": {
          "content": "Do 1.\\n"
        },
        "planMode": true
      },
      "reference": "task-1/2 bafol-rusab-tizok",
      "settleTime": 150.0,
      "startedAt": "2026-11-24T12:00:00Z",
      "task": "acme/task-1"
    }
  },
  "backend": "https://api.example.com",
  "lineage": "5f0c1b9de2a74a6f8f3b7d1c9a04e6b2",
  "provenance": {
    "begunAt": "2026-11-24T12:00:00Z",
    "counter": 2,
    "ids": [
      "bafol-rusab-tizok"
    ]
  },
  "serial": 7,
  "tasks": {
    "acme/task-0": {
      "createdAt": "2026-11-24T12:00:00Z",
      "digest": "sha256:050234d3fd1ea94cb2b23cb9277c3223a214e1a03135bf416717957c10fa0569",
      "file": "tasks/a.yaml",
      "identity": {
        "id": "u-1",
        "login": "octocat"
      },
      "inputs": {
        "message": {
          "content": "Do 0.\\n"
        },
        "planMode": true
      },
      "number": 1,
      "outputs": {
        "status": "idle",
        "tokensUsed": 0
      },
      "pending": {
        "name": "Task 0"
      },
      "reference": "task-0/1 bafol-rusab-tizok",
      "taskId": "id-0"
    }
  },
  "version": 5
}
"""


def golden_state() -> State:
    return fold(empty(serial=7), [Recorded(record(0)), Attempted(attempt(1))])


def golden_value() -> dict[str, Any]:
    """The golden file as values, without its checksum, to be changed by a test."""
    value: dict[str, Any] = json.loads(GOLDEN)
    del value["checksum"]
    return value


def decode(data: bytes | str) -> State:
    data = data.encode() if isinstance(data, str) else data
    return decode_state(data, StateSource("x.json"), backend=BACKEND)


def refused(data: bytes | str) -> Diagnostic:
    """The one problem of a file."""
    with pytest.raises(StateError) as caught:
        decode(data)
    (said,) = caught.value.diagnostics
    assert said.file == "x.json"
    assert explanation(said)
    return said
