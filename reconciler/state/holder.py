"""The holder of a state's lock."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from reconciler.model.task import rfc3339


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that took the lock of a state at the time `started` (RFC 3339).

    `purpose` is its command. For a shared state, `run` is the link to its CI run, and `boot_id` and
    `pid_namespace` identify where its process ID is valid ("": unknown).
    """

    pid: int
    host: str
    user: str
    started: str
    purpose: str
    run: str = ""
    boot_id: str = ""
    pid_namespace: str = ""

    @classmethod
    def here(cls, purpose: str, run: str, now: datetime, boot_id: str) -> Holder:
        """This process."""
        started, spaces = rfc3339(now), _pid_namespace()
        own = (os.getpid(), host_name(), user_name())
        return cls(*own, started, purpose, run, boot_id, spaces)

    def __str__(self) -> str:
        run = f", {self.run}" if self.run else ""
        return (
            f"process {self.pid} on {self.host} (user {self.user}, {self.purpose}, since"
            f" {self.started}{run})"
        )

    def is_gone(self, boot_id: str) -> bool:
        """Whether the process has certainly ended: on this boot and in this PID namespace, its ID
        would be visible."""
        return (
            self.boot_id == boot_id != ""
            and self.pid_namespace == _pid_namespace() != ""
            and self.host == host_name()
            and not is_alive(self.pid)
        )


def _pid_namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def host_name() -> str:
    import socket  # not needed by `taskctl plan`

    return socket.gethostname()


def user_name() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"


def is_alive(pid: int) -> bool:
    """Whether a process of this machine may still be running."""
    if os.name == "nt":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
