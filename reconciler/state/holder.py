"""Who holds the lock of a state."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has the lock: process id, host, user, when it was taken (RFC 3339), and for what."""

    pid: int
    host: str
    user: str
    started: str
    purpose: str

    def __str__(self) -> str:
        return (
            f"process {self.pid} on {self.host} (user {self.user}, {self.purpose}, since"
            f" {self.started})"
        )


def host_name() -> str:
    import socket  # what `taskctl plan` does not need is not loaded for it

    return socket.gethostname()


def user_name() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"


def is_alive(pid: int) -> bool:
    """Whether a process of this machine may still run."""
    if os.name == "nt":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
