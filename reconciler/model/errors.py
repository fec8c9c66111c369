"""The exceptions that reach a user; each carries diagnostics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from reconciler.model.codes import Code
from reconciler.model.diagnostics import NOWHERE, Arg, Diagnostic, Place, error


class TaskctlError(Exception):
    """The operation failed; `diagnostics` contains at least one error."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__(diagnostics)
        self.diagnostics = tuple(diagnostics)

    def __str__(self) -> str:
        from reconciler.messages import word  # few runs need any wording

        return "; ".join(word(d).summary for d in self.diagnostics)

    @classmethod
    def of(cls, code: Code, case: str = "", /, *, at: Place = NOWHERE, **facts: Arg) -> Self:
        """With a single error."""
        return cls([error(code, case, at=at, **facts)])


class ManifestError(TaskctlError):
    """Unusable manifests; nothing was sent."""


class StateError(TaskctlError):
    """An unusable state, journal or lock; it was left unchanged."""

    @classmethod
    def about(cls, file: str, code: Code, case: str = "", /, **facts: Arg) -> Self:
        """With a single error at a file."""
        return cls.of(code, case, at=Place(file=file), file=file, **facts)


class RemoteError(TaskctlError):
    """The service did not respond as expected; `status` is the HTTP status, if any."""

    def __init__(self, diagnostics: Sequence[Diagnostic], status: int | None = None) -> None:
        super().__init__(diagnostics)
        self.status = status
