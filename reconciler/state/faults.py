"""What an engine refuses, as a diagnostic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.model.codes import Code
from reconciler.model.diagnostics import NOWHERE, Arg, error
from reconciler.model.errors import StateError
from reconciler.state.engines import Denied, EngineError, Unconditional, Unsure

_DENIED = {
    "credentials": (Code.STATE_ACCESS_DENIED, ""),
    "permission": (Code.STATE_ACCESS_DENIED, "permission"),
    "container": (Code.STATE_CONTAINER_MISSING, ""),
    "extra": (Code.STATE_EXTRA_MISSING, ""),
    "rejected": (Code.STATE_REJECTED, ""),
    "address": (Code.STATE_ADDRESS, ""),
}


def state_error(problem: EngineError, shown: str) -> StateError:
    """The problem in the user's terms."""
    code, case = Code.STATE_UNREACHABLE, ""
    facts: dict[str, Arg] = {"file": shown, "reason": str(problem)}
    if isinstance(problem, Denied):
        code, case = _DENIED[problem.cause]
        if code is Code.STATE_EXTRA_MISSING:
            case = {"git": "program", "boto3": "profile"}.get(str(problem), "")
    elif isinstance(problem, Unconditional):
        code = Code.STATE_UNCONDITIONAL
    return StateError([error(code, case, at=NOWHERE, **facts)])


@contextmanager
def as_state_errors(shown: str) -> Iterator[None]:
    """Whatever the engine refuses becomes a StateError."""
    try:
        yield
    except (Unsure, Denied, Unconditional) as problem:
        raise state_error(problem, shown) from problem
