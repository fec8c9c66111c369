"""Where the state is: the place that an address or a path names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from reconciler.app.run_link import run_link
from reconciler.model.codes import Code
from reconciler.model.diagnostics import NOWHERE
from reconciler.model.errors import StateError
from reconciler.state.engines import scheme_of

if TYPE_CHECKING:
    from reconciler.model.clock import Clock
    from reconciler.state.shared import SharedState

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://")
_SECRET = re.compile(r"pass|secret|token|credential|sig|access_?key", re.IGNORECASE)
_USER_INFO = re.compile(r"//[^/?#]*@"), re.compile(r"//[^/?#]*:[^/?#]*@")
"""Of a remote's URL, where a name alone may be a token, and of any other address."""


def is_address(text: str) -> bool:
    """Whether it is the address of a shared state, known or not, and not the path of a file. One
    that is mistyped, such as `Git:origin`, is an address too: a file would be a new state."""
    text = text.strip().lower()
    return scheme_of(text) is not None or _ADDRESS.match(text) is not None


def shared_state(address: str, root: Path, clock: Clock, env: Mapping[str, str]) -> SharedState:
    """The shared state at an address, which is not contacted yet. StateError for an address that
    cannot be used, a missing extra, and a key that cannot be used."""
    from reconciler.state.encryption import KeyRing
    from reconciler.state.engines import Denied, open_engine
    from reconciler.state.register import state_error
    from reconciler.state.shared import SharedState

    if _has_password(address):
        raise StateError.of(Code.STATE_ADDRESS, "password")
    ring = KeyRing.of(env)
    try:
        engine = open_engine(address, env, root)
    except Denied as problem:
        raise state_error(problem, address) from problem
    return SharedState(engine, clock, ring, run=run_link(env))


def refuse_key(file: str, env: Mapping[str, str]) -> None:
    """StateError if a key is set: a state file is never encrypted."""
    if not any(name.startswith("TASKCTL_STATE_") for name in env):
        return  # so that nothing has to be imported
    from reconciler.state.encryption import KEY, PASSPHRASE, KeyRing

    name = PASSPHRASE if PASSPHRASE in env else KEY
    if name in env and KeyRing.of(env).current is not None:
        raise StateError.of(Code.STATE_NOT_ENCRYPTED, "file", file=file, name=name)


def _has_password(address: str) -> bool:
    of_remote, of_others = _USER_INFO
    if (of_remote if scheme_of(address) == "git" else of_others).search(address):
        return True
    try:
        names = [name for name, _ in parse_qsl(urlsplit(address).query, keep_blank_values=True)]
        return any(map(_SECRET.search, names))
    except ValueError as problem:
        facts = {"file": address, "reason": str(problem)}
        raise StateError.of(Code.STATE_ADDRESS, at=NOWHERE, **facts) from problem
