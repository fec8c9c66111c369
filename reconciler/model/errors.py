"""The exceptions that reach a user: each carries its diagnostics, never a traceback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from reconciler.messages import word
from reconciler.model.codes import Code
from reconciler.model.diagnostics import NOWHERE, Arg, Diagnostic, Place, error


class TaskctlError(Exception):
    """An operation cannot go on; `diagnostics` has at least one error, worded for a user."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__("; ".join(word(d).summary for d in diagnostics))
        self.diagnostics = tuple(diagnostics)

    @classmethod
    def of(cls, code: Code, case: str = "", /, *, at: Place = NOWHERE, **facts: Arg) -> Self:
        """With one error."""
        return cls([error(code, case, at=at, **facts)])


class ManifestError(TaskctlError):
    """Manifests that cannot be used; nothing was sent anywhere."""


class StateError(TaskctlError):
    """A state, journal or lock that cannot be used; it was left as it was."""


class RemoteError(TaskctlError):
    """The service did not answer as it should; `status` is its HTTP status, if it had one."""

    def __init__(self, diagnostics: Sequence[Diagnostic], status: int | None = None) -> None:
        super().__init__(diagnostics)
        self.status = status
