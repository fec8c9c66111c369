"""Addresses of backends, normalized so that each backend has one state."""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, TaskctlError
from reconciler.model.hosts import is_loopback
from reconciler.remote.sanitize import shown_text

DEFAULT_URL = "https://api.pulumi.com"
LOCAL = "local"
LOCAL_DB = ".taskctl/local.db"

_PORTS = {"http": 80, "https": 443}


class Backend(NamedTuple):
    """A service, and the option, variable or file that names it.

    `name` identifies the service in states and plans: a URL, `local`, or `local:PATH`. `notes` are
    about skipped settings.
    """

    name: str
    source: str
    notes: tuple[Diagnostic, ...] = ()

    @property
    def is_local(self) -> bool:
        return self.name == LOCAL or self.name.startswith(LOCAL + ":")

    @property
    def local_db(self) -> Path | None:
        """The embedded service's file, relative to the working directory; None for other
        services."""
        if not self.is_local:
            return None
        return Path(self.name.partition(":")[2] or LOCAL_DB)

    @property
    def default_state(self) -> str:
        """The state file if `--state` is not given (docs/configuration.md)."""
        return ".taskctl/local.state.json" if self.is_local else "taskctl.state.json"


def backend_name(text: str, home: Path, source: str = "--backend") -> str:
    """The normalized name of a backend: a URL (see `service_url`), `local`, or `local:PATH`, which
    is `local` for the default file.

    A path is relative to the working directory; `~` stands for `home`. Messages show `source`.
    Raises TaskctlError if the name is invalid.
    """
    kind, colon, path = text.strip().partition(":")
    if kind != LOCAL:
        return service_url(text, source)
    if not colon:
        return LOCAL
    if not path:
        raise _invalid("no-path", source=source)
    path = path.replace("\\", "/")
    if path == "~" or path.startswith("~/"):
        path = home.as_posix() + path[1:]
    path = posixpath.normpath(path)
    return LOCAL if path == LOCAL_DB else f"{LOCAL}:{path}"


def service_url(text: str, source: str = "--backend") -> str:
    """A URL with a lower-case host and without a default port or a trailing slash.

    Raises TaskctlError unless it is https, or http to loopback, and for a user name, `?` or `#`.
    """
    parts = split_url(text.strip())
    if parts is None:
        raise _invalid("", source=source, text=shown_text(text, 80))
    host, port, scheme = parts.hostname, parts.port, parts.scheme.lower()
    if "@" in parts.netloc:
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


def split_url(url: str) -> SplitResult | None:
    """The parts of a URL; None if it is invalid, for example its port."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _invalid(case: str, **facts: Any) -> TaskctlError:
    return TaskctlError.of(Code.INVALID_BACKEND, case, **facts)
