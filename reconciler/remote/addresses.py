"""The address of the service: one spelling for each backend, so that its state is found again."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.errors import TaskctlError
from reconciler.model.hosts import is_loopback
from reconciler.remote.sanitize import shown_text

DEFAULT_URL = "https://api.pulumi.com"
LOCAL = "local"
LOCAL_DB = ".taskctl/local.db"

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Backend:
    """A service, and where its address came from.

    `name` is what the state keeps and the plan shows: a URL, `local`, or `local:PATH`. `notes` are
    about settings that were skipped.
    """

    name: str
    source: str
    notes: tuple[Diagnostic, ...] = ()

    @property
    def is_local(self) -> bool:
        return self.name == LOCAL or self.name.startswith(LOCAL + ":")

    @property
    def local_db(self) -> Path | None:
        """The embedded service's file, relative to the working folder; None for a real service."""
        if not self.is_local:
            return None
        return Path(self.name.partition(":")[2] or LOCAL_DB)

    @property
    def default_state(self) -> str:
        """The state file unless `--state` names another (contract, section 3)."""
        return ".taskctl/local.state.json" if self.is_local else "taskctl.state.json"


def backend_name(text: str, home: Path, source: str = "--backend") -> str:
    """The canonical name of a backend that a user wrote. TaskctlError for an invalid one.

    `local`, `local:PATH` (normalized as a path, relative to the working folder; `~` is `home`; the
    default file's name is `local`) or a URL, as `service_url` has it. `source` is for the message.
    """
    text = text.strip()
    if text == LOCAL:
        return LOCAL
    if text.startswith(LOCAL + ":"):
        return _local_name(text.partition(":")[2], home, source)
    return service_url(text, source)


def service_url(text: str, source: str = "--backend") -> str:
    """A service's URL with a lower-case host, without a default port or a trailing slash.

    TaskctlError: not http(s), plain http to other than loopback, a user name, `?` or `#` in it.
    """
    try:
        parts = urlsplit(text.strip())
        host, port, secret = parts.hostname, parts.port, "@" in parts.netloc
    except ValueError:
        raise _invalid("", source=source, text=shown_text(text, 80)) from None
    scheme = parts.scheme.lower()
    if secret:
        raise _invalid("secret", source=source, host=host)
    if scheme not in _PORTS or not host or not host.isprintable() or " " in host:
        raise _invalid("", source=source, text=shown_text(text, 80))
    if parts.query or parts.fragment:
        raise _invalid("query", source=source, host=host)
    if scheme == "http" and not is_loopback(host):
        raise _invalid("plain-http", source=source, host=host, url=f"https://{host}")
    where = f"[{host}]" if ":" in host else host
    if port is not None and port != _PORTS[scheme]:
        where += f":{port}"
    return f"{scheme}://{where}{parts.path.rstrip('/')}"


def _local_name(path: str, home: Path, source: str) -> str:
    if not path:
        raise _invalid("no-path", source=source)
    path = path.replace("\\", "/")
    if path == "~" or path.startswith("~/"):
        path = home.as_posix() + path[1:]
    path = posixpath.normpath(path)
    return LOCAL if path == LOCAL_DB else f"{LOCAL}:{path}"


def _invalid(case: str, **facts: Any) -> TaskctlError:
    return TaskctlError.of(Code.INVALID_BACKEND, case, **facts)
