"""The exceptions that reach a user: each carries its diagnostics, never a traceback."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.model.diagnostics import Diagnostic, error


class TaskctlError(Exception):
    """An operation cannot go on; `diagnostics` has at least one error, worded for a user."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__("; ".join(d.summary for d in diagnostics))
        self.diagnostics = tuple(diagnostics)

    @classmethod
    def of(cls, summary: str, detail: str = "", *, file: str | None = None) -> TaskctlError:
        """With one error: what was wrong, and what to do next as `detail`."""
        return cls([error(summary, detail, file=file)])


class ManifestError(TaskctlError):
    """Manifests that cannot be used; nothing was sent anywhere."""


class StateError(TaskctlError):
    """A state, journal or lock that cannot be used; it was left as it was."""


class RemoteError(TaskctlError):
    """The service did not answer as it should; `status` is its HTTP status, if it had one."""

    def __init__(self, diagnostics: Sequence[Diagnostic], status: int | None = None) -> None:
        super().__init__(diagnostics)
        self.status = status
