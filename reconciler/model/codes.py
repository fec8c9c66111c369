"""The code of each diagnostic: one per cause, numbered by area (contract, section 3)."""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """What a diagnostic is about. Its wording and its page are in `reconciler.messages`.

    TC1xx text and YAML, 2xx schema, 3xx entries and expansion, 4xx prompts and credentials,
    5xx policy and budget, 6xx state and lock, 7xx service and identity, 8xx usage and
    configuration. A published code never changes its meaning and is never reused.
    """

    UNCLASSIFIED = "TC000"  # transitional: a sentence that has no code yet

    STATE_LOCK_LOST = "TC611"

    INVALID_DURATION = "TC801"
