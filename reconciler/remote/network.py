"""Proxies and certificate authorities from the environment."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy

from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError
from reconciler.model.hosts import is_loopback
from reconciler.remote.addresses import split_url
from reconciler.remote.sanitize import bare_url, shown_text


def proxies_for(base: str) -> dict[str, str]:
    """The proxies for a URL, as requests expects them; none for loopback, because a proxy would see
    the token.

    Raises TaskctlError for a SOCKS proxy, and for an invalid URL, such as one with a raw `/` in
    its password: libraries would include parts of it in messages.
    """
    if is_loopback(urlsplit(base).hostname or ""):
        return {}
    proxies: dict[str, str] = get_environ_proxies(base)
    proxy = select_proxy(base, proxies) or ""
    if proxy.lower().startswith("socks"):
        raise TaskctlError.of(Code.PROXY, "socks", proxy=bare_url(proxy))
    parts = split_url(proxy if "://" in proxy else f"http://{proxy}")
    if proxy and (
        parts is None or not parts.hostname or "@" in parts.path + parts.query + parts.fragment
    ):
        raise TaskctlError.of(Code.PROXY, "invalid")
    return proxies


def proxy_for(base: str) -> str:
    """The proxy for a URL; empty if there is none. Raises TaskctlError as `proxies_for` does."""
    return select_proxy(base, proxies_for(base)) or ""


def ca_bundle() -> bool | str:
    """The PEM file of certificate authorities, or True for the default. Raises TaskctlError if the
    file is missing."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        path = os.environ.get(name)
        if not path:
            continue
        if not Path(path).exists():
            raise TaskctlError.of(Code.CERTIFICATE, "no-bundle", name=name, path=shown_text(path))
        return path
    return True
