"""The session of requests with one address, that of the service."""

from __future__ import annotations

from http.cookiejar import DefaultCookiePolicy

import requests
from requests.adapters import BaseAdapter

from reconciler.remote.connections import PooledAdapter
from reconciler.remote.exchange import Exchange
from reconciler.remote.network import ca_bundle, proxies_for


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
