"""The session of requests with one address, that of the service, with the proxies and certificate
authorities of the environment."""

from __future__ import annotations

import os
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.utils import get_environ_proxies, select_proxy

from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError
from reconciler.model.hosts import is_loopback
from reconciler.remote.addresses import split_url
from reconciler.remote.connections import PooledAdapter
from reconciler.remote.exchange import Exchange
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


class AddressSession(requests.Session):
    """Sends requests to the origin of the URL `base`, and nowhere else: two addresses never share
    a session, so nothing that belongs to one can follow to the other.

    It has no credentials: a token is a header of each request. It accepts no cookies, reads neither
    `.netrc` nor proxies by itself, and follows no redirects. Thread-safe. `adapter` replaces the
    connections to the network. Raises TaskctlError as `proxies_for` and `ca_bundle` do.
    """

    def __init__(
        self, base: str, *, connections: int = 1, adapter: BaseAdapter | None = None
    ) -> None:
        super().__init__()
        self.trust_env = False
        self.headers.clear()
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self.proxies, self.verify = {}, True
        if adapter is None:
            self.proxies = proxies_for(base)
            self.verify = ca_bundle() if base.startswith("https:") else True
            url = requests.Request("GET", base).prepare().url or ""
            adapter = PooledAdapter("/".join(url.split("/")[:3]), connections)
        self.adapters.clear()
        self.mount("", adapter)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: requests would read the body of a redirect to its end, although it follows none."""

    def open(self, request: requests.PreparedRequest, exchange: Exchange) -> requests.Response:
        """Sends a request once, in the context of `exchange`; the response's body is unread."""
        return self.send(
            request,
            stream=True,
            timeout=(exchange.connect, exchange.read),
            verify=self.verify,
            proxies=self.proxies,
            allow_redirects=False,
        )
