"""A value that violates a JSON schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reconciler.model.diagnostics import Path
from reconciler.model.value import Value


class Violation(Value, frozen=True):
    """A `value` that violates the keyword `rule` (None for the schema `false`) of `schema`, whose
    value is `expected`. `steps` is the path to it in the root schema, without references.
    `around` are the schemas that apply to the value, the innermost first: for policies only."""

    path: Path
    steps: Path
    rule: str | None
    expected: Any
    value: Any
    schema: Any
    around: Sequence[Any] = ()
