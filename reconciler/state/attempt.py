"""Attempts to create a task, and what existed before them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from reconciler.model.canonical import digest
from reconciler.model.entry import Generated
from reconciler.model.task import Identity, Inputs, TaskRef

SEND_WINDOW = 10.0
"""Seconds after its journal entry in which a create is sent, or never (contract, section 5)."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to create, made durable before its request left.

    `mark` is the `message.timestamp` that was sent, unique over all attempts of a state.
    `started_at` is the wall clock when it was about to be journaled, `boot` the seconds since the
    boot `boot_id` ("": unknown), `service_clock` the service's clock (None if it had shown none).
    The request left at most `window` seconds later, or never. `baseline` names the newest tasks of
    the organization before it (`State.baselines`; "": unknown). `sensitive`: no report shows its
    prompt. `replaces` is the task that the new one takes the place of. `generated`: what an entry
    made it from.
    """

    JSON_NAMES: ClassVar[Mapping[str, str]] = {"ref": "task"}

    ref: TaskRef
    mark: str
    inputs: Inputs
    digest: str
    identity: Identity
    file: str
    started_at: datetime
    service_clock: datetime | None = None
    sensitive: bool = False
    replaces: str = ""
    boot: float = 0.0
    boot_id: str = ""
    window: float = SEND_WINDOW
    baseline: str = ""
    generated: Generated | None = None


@dataclass(frozen=True, slots=True)
class Baseline:
    """The newest tasks of an organization at one moment, newest first: none of them was created by
    a later attempt."""

    org_name: str
    ids: tuple[str, ...]

    @property
    def name(self) -> str:
        return digest([self.org_name, self.ids]).removeprefix("sha256:")[:16]
