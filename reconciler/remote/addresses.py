"""Where the service is: one spelling for each backend, so that its state is found again."""

from __future__ import annotations

import ipaddress
import posixpath
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from reconciler.model.errors import TaskctlError
from reconciler.remote.sanitize import shown

DEFAULT_URL = "https://api.pulumi.com"
LOCAL = "local"
LOCAL_DB = ".taskctl/local.db"

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Backend:
    """A service, and how it came to be the one.

    `name` is what the state keeps and the plan shows: a URL, `local`, or `local:PATH`. `source`
    says where it was named, `notes` what was passed over on the way (for a warning).
    """

    name: str
    source: str
    notes: tuple[str, ...] = ()

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
        """The state file where `--state` names none (contract, section 3)."""
        return ".taskctl/local.state.json" if self.is_local else "taskctl.state.json"


def is_loopback(host: str) -> bool:
    """127.0.0.0/8, ::1 and `localhost`: where a token may go without TLS."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def backend_name(text: str, home: Path, source: str = "--backend") -> str:
    """The one spelling of a backend as a user writes it. TaskctlError for what cannot be one.

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
    """A service's URL without upper case in its host, a default port or a slash at its end.

    TaskctlError: not http(s), plain http to other than loopback, a user name, `?` or `#` in it.
    """
    try:
        parts = urlsplit(text.strip())
        host, port, secret = parts.hostname, parts.port, "@" in parts.netloc
    except ValueError:
        raise _no_backend(f"{source}: no address of a service") from None
    scheme = parts.scheme.lower()
    if secret:
        raise TaskctlError.of(
            f"{source}: a user name or password in the address of {host}",
            "It would end up in the state file. Leave it out; the token is all that is needed.",
        )
    if scheme not in _PORTS or not host or not host.isprintable() or " " in host:
        raise _no_backend(f"{source}: {shown(text, 80)!r} is no address of a service")
    if parts.query or parts.fragment:
        raise _no_backend(f"{source}: the address of {host} has a ? or # in it")
    if scheme == "http" and not is_loopback(host):
        raise TaskctlError.of(
            f"{source}: http://{host}: a token never goes over plain http, except to this machine",
            f"Use the https:// address of the service:\n  --backend https://{host}",
        )
    where = f"[{host}]" if ":" in host else host
    if port is not None and port != _PORTS[scheme]:
        where += f":{port}"
    return f"{scheme}://{where}{parts.path.rstrip('/')}"


def _local_name(path: str, home: Path, source: str) -> str:
    if not path:
        raise _no_backend(f"{source}: `local:` names no file")
    path = path.replace("\\", "/")
    if path == "~" or path.startswith("~/"):
        path = home.as_posix() + path[1:]
    path = posixpath.normpath(path)
    return LOCAL if path == LOCAL_DB else f"{LOCAL}:{path}"


def _no_backend(summary: str) -> TaskctlError:
    return TaskctlError.of(
        summary, f"Give an https:// URL (for example {DEFAULT_URL}), `local` or `local:PATH`."
    )
