"""Whether a connection to PostgreSQL verifies the server's identity: unless somebody has decided.

libpq's own default, `sslmode=prefer`, sends a password to any server that answers, also in plain
text.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from reconciler.model.hosts import is_loopback

_SOCKET = ("/", "@")
_SYSTEM = {"sslmode": "verify-full", "sslrootcert": "system"}
_VARIABLES = ("host", "hostaddr", "service", "sslmode", "sslrootcert")


def with_tls(given: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    """The parameters of a connection, as `given` in an address, with those that require a verified
    certificate: not if the address, the environment or the service file sets `sslmode`, and not for
    sockets and the same machine. A certificate authority that they set is kept."""
    ambient = {name: env.get(f"PG{name.upper()}", "") for name in _VARIABLES}
    ambient = {name: value for name, value in ambient.items() if value}
    service = given.get("service") or ambient.get("service")
    parameters = {**ambient, **(_of_service(service, env) if service else {}), **given}
    hosts = [
        host
        for host in (parameters.get("host") or parameters.get("hostaddr", "")).split(",")
        if host
    ]
    is_local = all(host.startswith(_SOCKET) or is_loopback(host) for host in hosts)
    if "sslmode" in parameters or is_local:
        return dict(given)
    return {**given, **{name: value for name, value in _SYSTEM.items() if name not in parameters}}


def _of_service(service: str, env: Mapping[str, str]) -> dict[str, str]:
    """The settings of a service, from the first service file that has it."""
    own = Path(env.get("PGSERVICEFILE") or Path(env.get("HOME", "")) / ".pg_service.conf")
    for path in (own, Path(env.get("PGSYSCONFDIR", "/etc/postgresql-common"), "pg_service.conf")):
        text = ""
        with suppress(OSError):
            text = path.read_text("utf-8", "replace")
        _, found, rest = f"\n{text}".partition(f"\n[{service}]")
        if found:
            lines = rest.partition("\n[")[0].splitlines()
            pairs = (line.partition("=") for line in map(str.strip, lines) if line[:1] != "#")
            return {name.strip(): value.strip() for name, sign, value in pairs if sign}
    return {}
