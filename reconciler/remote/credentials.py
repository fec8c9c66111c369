"""Backend, token and organization, from options, the environment and Pulumi's files.

The order of precedence is in docs/configuration.md. `repository` is the root of the current
repository: no file in it is used, even if HOME is a directory in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError, note
from reconciler.remote.addresses import DEFAULT_URL, Backend, backend_name, service_url
from reconciler.system import disk

LOCAL_IDENTITY = "local"
_ENCRYPTED = "$pulumiSecureStore"


class ResolvedSetting(NamedTuple):
    """A setting, its source, and the sources tried before (for -v)."""

    value: str
    source: str
    trace: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token; its repr does not contain it."""

    value: str = field(repr=False)
    source: str


def home() -> Path:
    """The user's home directory; `/` for a user without a home directory, as in containers."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")


def resolve_backend(
    option: str | None, env: Mapping[str, str], home: Path, repository: Path | None = None
) -> Backend:
    """The backend from `--backend`, TASKCTL_BACKEND, PULUMI_BACKEND_URL or `current` in
    credentials.json, or the default.

    Raises TaskctlError for an invalid name or an unreadable credentials file. A state backend of
    Pulumi (`s3://...`) is skipped with a note.
    """
    for text, source in ((option, "--backend"), (env.get("TASKCTL_BACKEND"), "TASKCTL_BACKEND")):
        if text and text.strip():
            return Backend(backend_name(text, home, source), source)
    notes = []
    for text, source in _pulumi_backends(env, home, repository):
        if text is None:
            notes.append(note(Code.PULUMI_SETTING_SKIPPED, "encrypted", source=source))
            continue
        scheme, sign, _ = text.partition("://")
        if not sign or scheme.lower() in ("http", "https"):
            return Backend(service_url(text, source), source, tuple(notes))
        facts: Any = {"source": source, "scheme": scheme}
        notes.append(note(Code.PULUMI_SETTING_SKIPPED, "state-only", **facts))
    return Backend(DEFAULT_URL, "the default", tuple(notes))


def resolve_token(
    backend: Backend, env: Mapping[str, str], home: Path, repository: Path | None = None
) -> AccessToken:
    """The token from PULUMI_ACCESS_TOKEN or credentials.json. Raises TaskctlError if there is none.

    The embedded service never receives a real token: it accepts any text as a user's token, from
    TASKCTL_LOCAL_TOKEN or a constant.
    """
    if backend.is_local:
        text = env.get("TASKCTL_LOCAL_TOKEN", "").strip()
        if text:
            return AccessToken(text, "TASKCTL_LOCAL_TOKEN")
        return AccessToken(LOCAL_IDENTITY, "the embedded service, which needs none")
    text = env.get("PULUMI_ACCESS_TOKEN", "").strip()
    if text:
        return AccessToken(text, "PULUMI_ACCESS_TOKEN")
    path = _folder(env, home) / "credentials.json"
    data = _read(path, repository)
    if _is_encrypted(data):
        raise _encrypted_error(path)
    token = _entry(data.get("accessTokens"), backend.name)
    if token is None:
        account = _entry(data.get("accounts"), backend.name)
        token = account.get("accessToken") if isinstance(account, Mapping) else None
    if _is_encrypted(token):
        raise _encrypted_error(path)
    if isinstance(token, str) and token.strip():
        return AccessToken(token.strip(), str(path))
    raise TaskctlError.of(Code.MISSING_CREDENTIALS, backend=backend.name)


def resolve_org(
    option: str | None,
    env: Mapping[str, str],
    home: Path,
    backend: Backend,
    service_default: Callable[[], str | None] | None = None,
    repository: Path | None = None,
) -> ResolvedSetting | None:
    """The organization for tasks without an organization, or None.

    From `--org`, TASKCTL_ORG, PULUMI_DEFAULT_ORGANIZATION, the backend's `defaultOrg` in
    config.json, or `service_default()`. Raises TaskctlError if config.json is needed and
    unreadable, and the errors of `service_default`.
    """
    trace: list[str] = []
    path = _folder(env, home) / "config.json"
    sources: list[tuple[str, Callable[[], str | None]]] = [
        ("--org", lambda: option),
        ("TASKCTL_ORG", lambda: env.get("TASKCTL_ORG")),
        ("PULUMI_DEFAULT_ORGANIZATION", lambda: env.get("PULUMI_DEFAULT_ORGANIZATION")),
        (f"defaultOrg in {path}", lambda: _configured_org(path, backend, repository)),
        (f"the default organization at {backend.name}", service_default or (lambda: None)),
    ]
    for source, read in sources:
        value = (read() or "").strip()
        if value:
            return ResolvedSetting(value, source, tuple(trace))
        trace.append(source)
    return None


def _pulumi_backends(
    env: Mapping[str, str], home: Path, repository: Path | None
) -> Iterator[tuple[str | None, str]]:
    """The backends that Pulumi would use, in order of precedence, with their sources; None for an
    encrypted file."""
    if text := env.get("PULUMI_BACKEND_URL", "").strip():
        yield text, "PULUMI_BACKEND_URL"
    path = _folder(env, home) / "credentials.json"
    data = _read(path, repository)
    current = data.get("current")
    if _is_encrypted(data):
        yield None, str(path)
    elif isinstance(current, str) and current.strip():
        yield current.strip(), f"current in {path}"


def _folder(env: Mapping[str, str], home: Path) -> Path:
    """The directory of credentials.json and config.json."""
    for name in ("PULUMI_CREDENTIALS_PATH", "PULUMI_HOME"):
        if env.get(name):
            return Path(env[name])
    return home / ".pulumi"


def _read(path: Path, repository: Path | None) -> Mapping[str, object]:
    """One of Pulumi's files; empty if missing. Raises TaskctlError if it is unreadable, or in the
    repository."""
    try:
        if repository is not None and path.exists() and path.resolve().is_relative_to(repository):
            raise _unusable("repository", path)
        content = disk.read_file(path, follow=True)
        data = {} if content is None else json.loads(content.decode("utf-8-sig"))
    except NotADirectoryError:
        return {}
    except OSError as exc:
        raise _unusable("unreadable", path, reason=str(exc.strerror)) from None
    except (ValueError, RecursionError):
        raise _unusable("not-json", path) from None
    if not isinstance(data, Mapping):
        raise _unusable("not-object", path)
    return data


def _unusable(case: str, path: Path, **facts: Any) -> TaskctlError:
    return TaskctlError.of(Code.PULUMI_FILE, case, path=str(path), **facts)


def _is_encrypted(value: object) -> bool:
    return isinstance(value, Mapping | str) and _ENCRYPTED in value


def _encrypted_error(path: Path) -> TaskctlError:
    return TaskctlError.of(Code.MISSING_CREDENTIALS, "encrypted", path=str(path))


def _entry(table: object, name: str) -> object:
    """The value of `table` for a backend, whose address in `table` need not be normalized."""
    for key, value in table.items() if isinstance(table, Mapping) else ():
        if isinstance(key, str) and (key == name or _same(key, name)):
            return value
    return None


def _same(key: str, name: str) -> bool:
    try:
        return service_url(key) == name
    except TaskctlError:
        return False


def _configured_org(path: Path, backend: Backend, repository: Path | None) -> str | None:
    if backend.is_local:
        return None
    entry = _entry(_read(path, repository).get("backends"), backend.name)
    org_name = entry.get("defaultOrg") if isinstance(entry, Mapping) else None
    return org_name if isinstance(org_name, str) else None
