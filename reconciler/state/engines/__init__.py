"""Engines: the storage of shared states. They store bytes without interpreting them.

An engine has one register, the *head*, which is replaced by compare-and-swap, and immutable blobs
that the head refers to. Everything else is built on top: retries in `state.register`, the contents
of head and blobs in `state.store`, the lock's heartbeat and the journal in `state.locked_head`, and
taking the lock in `state.shared`. docs/contributing/changes.md lists what a new engine needs.
"""
# ruff: noqa: N818  (an outcome of a swap is not an error until the caller has examined it)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Literal, NamedTuple, NewType, Protocol

from reconciler.model import limits

Version = NewType("Version", str)
"""Identifies one content of the head (an ETag, a commit, a number); compared for equality only.

A driver must never give two contents the same version; the caller never writes the same bytes in
two different swaps.
"""

SCHEMES = {
    "s3": "objects",
    "gs": "objects",
    "az": "objects",
    "postgresql": "postgres",
    "git": "git",
}
"""The scheme of an address, and the module of this package that opens it."""


class EngineError(Exception):
    """Base of all outcomes below. The message is the driver's technical reason, one line, without
    credentials; it is shown to users as a detail and never parsed."""


class Moved(EngineError):
    """The head does not have the expected version, and this swap changed nothing.

    Raise it only if the service's reply proves it. A conflict that may be the echo of our own
    earlier request (S3's 409) is `Unsure`.
    """


class Unsure(EngineError):
    """No usable reply: timeout, dropped connection, 5xx, 409, 429, rate limit. The request may have
    taken effect."""


Cause = Literal[
    "credentials",
    "permission",
    "tls",
    "container",
    "extra",
    "rejected",
    "address",
    "clone",
    "remote",
    "repository",
]
"""The reason why access is denied: no or invalid credentials; not permitted; no verified TLS
connection; bucket, database, table or remote missing; a Python extra or program is not installed;
the remote rejects the ref or the object; the address cannot be used; the directory is in no clone;
the clone lacks the remote; git cannot use the clone."""


class Denied(EngineError):
    """The request was rejected and had no effect, and repeating it will not help."""

    def __init__(self, reason: str, cause: Cause) -> None:
        super().__init__(reason)
        self.cause = cause


class Missing(EngineError):
    """A blob does not exist. (A missing head is None, a missing bucket is `Denied`.)"""


class Oversized(EngineError):
    """The head or a blob is larger than any that taskctl writes; it was not read."""

    def __init__(self, part: str, size: int, most: int) -> None:
        super().__init__(f"it has {size} bytes; at most {most} are possible")
        self.part = part


class Full(Oversized):
    """The head or a blob would be too large to be read again; nothing was written."""


class Unconditional(EngineError):
    """The server ignores conditions on writes, so it cannot hold a state."""


def check_size(part: str, size: int, most: int, kind: type[Oversized] = Oversized) -> None:
    """Raises an error of this kind if the size exceeds the maximum. Drivers check before they read,
    because other programs may have written the head or blob."""
    if size > most:
        raise kind(part, size, most)


class BlobRoom:
    """The number of bytes of blobs that may still be read, reduced before each read.
    Thread-safe."""

    def __init__(self) -> None:
        self._sizes, self._guard = dict[str, int](), Lock()

    def take(self, name: str, size: int) -> None:
        """Counts a blob, once for all tries. Raises Oversized if it does not fit."""
        with self._guard:
            self._sizes[name] = size
            check_size(name, sum(self._sizes.values()), limits.STATE_BYTES)


class Pace(NamedTuple):
    """The intervals between writes, in seconds.

    A holder rewrites the head every `heartbeat`; a waiting process may take over after `takeover`
    without a change. Two swaps are at least `min_gap` apart.
    """

    heartbeat: float = 15.0
    takeover: float = 60.0
    min_gap: float = 0.0


class Engine(Protocol):
    """One state in one location. No JSON, no retries, no clocks; each call is one attempt.

    Several threads may call it, but only one swaps at a time. Every method may raise `Unsure` or
    `Denied`, and reads `Oversized`. Only `prepare` creates anything other than the head and blobs.
    The caller sets `about`, for engines that show who changed the state last ("": unknown or
    secret).
    """

    about: str

    @property
    def display_name(self) -> str:
        """The address as messages show it; never with credentials."""

    @property
    def pace(self) -> Pace: ...

    @property
    def deletes_with_swap(self) -> bool:
        """Whether `delete_blobs` takes effect only with the next swap."""

    def read(self) -> tuple[bytes, Version] | None:
        """The head; None only if the location exists and has no head."""

    def swap(self, data: bytes, over: Version | None) -> Version:
        """Replaces the head if its version is still `over` (None: if there is none) and returns the
        new version. Raises Moved, Unsure, Denied."""

    def put_blob(self, name: str, data: bytes) -> None:
        """Stores an immutable blob, whole or not at all; storing the same name and bytes again
        succeeds. `name` consists of letters, digits, '-', '.' and '_'."""

    def get_blob(self, name: str, room: BlobRoom) -> bytes:
        """A blob, read only if there is `room` for it. Raises Missing."""

    def delete_blobs(self, names: Sequence[str]) -> None:
        """Deletes blobs, best effort; ignores missing blobs."""

    def probe(self) -> None:
        """Sends conditional writes that the service must reject, to a scratch key. Raises
        Unconditional otherwise."""

    def others(self) -> Sequence[str]:
        """The addresses of other states next to this state; none if the engine cannot list them."""

    def prepare(self) -> None:
        """For `state init`: creates what the engine needs within its location (tables), never the
        location itself (a bucket, a database, a repository), whose name may be mistyped."""

    def close(self) -> None:
        """Closes connections and removes temporary files."""


def scheme_of(address: str) -> str | None:
    """The scheme of an engine's address; None for the path of a file."""
    scheme, colon, _ = address.partition(":")
    return scheme if colon and scheme in SCHEMES else None


def open_engine(address: str, env: Mapping[str, str], folder: Path = Path()) -> Engine:
    """The engine of an address such as `git:origin` or `s3://bucket/prefix`.

    Credentials come from `env` and the usual configuration files. `folder` is the working
    directory. Sends no request yet. Raises Denied for an address that cannot be used (cause
    "address") or a missing extra ("extra").
    """
    scheme = scheme_of(address)
    if scheme is None:
        reason = f"unknown scheme {address.partition(':')[0]}"
        raise Denied(f"{reason} (the path of a file with a colon starts with ./)", "address")
    if scheme != "git" and not address.startswith(f"{scheme}://"):
        raise Denied(f"expected // after {scheme}:", "address")
    module = import_module(f"reconciler.state.engines.{SCHEMES[scheme]}")
    engine: Engine = module.open_engine(address, env, folder)
    return engine
