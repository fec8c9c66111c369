"""Opens the shared state at an address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from reconciler.app.ci import run_link
from reconciler.model.clock import Clock
from reconciler.model.codes import Code
from reconciler.model.diagnostics import NOWHERE, StateError
from reconciler.state.engines import Denied, Unsure, open_engine, scheme_of

if TYPE_CHECKING:
    from reconciler.state.shared import SharedState

_ADDRESS = re.compile(r"\s*\w[\w+.-]*:")
_SECRET = re.compile(r"pass|secret|token|credential|sig|access_?key", re.IGNORECASE)
_GIT_USER_INFO = re.compile(r"//[^/?#]*@")  # of a remote's URL: a user name alone may be a token
_USER_INFO = re.compile(r"//[^/?#]*:[^/?#]*@")


def is_address(text: str) -> bool:
    """Whether it is the address of a shared state, of a known or an unknown scheme, rather than a
    path. A text that starts with `word:` is an address: as a path, a mistyped address such as
    `gti:origin` would create a new state."""
    return _ADDRESS.match(text) is not None


def shared_state(address: str, root: Path, clock: Clock, env: Mapping[str, str]) -> SharedState:
    """The shared state at an address, without contacting it. Raises StateError for an unusable
    address, and for a missing extra."""
    from reconciler.state.register import state_error
    from reconciler.state.shared import SharedState

    if _has_password(address):
        raise StateError.of(Code.STATE_ADDRESS, "password")
    try:
        engine = open_engine(address, env, root)
    except (Denied, Unsure) as problem:
        raise state_error(problem, address) from problem
    return SharedState(engine, clock, run=run_link(env))


def _has_password(address: str) -> bool:
    user_info = _GIT_USER_INFO if scheme_of(address) == "git" else _USER_INFO
    if any(map(user_info.search, (address, unquote(address)))):
        return True
    try:
        names = [name for name, _ in parse_qsl(urlsplit(address).query, keep_blank_values=True)]
        return any(map(_SECRET.search, names))
    except ValueError as problem:
        facts = {"file": address, "reason": str(problem)}
        raise StateError.of(Code.STATE_ADDRESS, at=NOWHERE, **facts) from problem
