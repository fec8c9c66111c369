"""Sends one message to a webhook, within ten seconds.

The URL is a credential: nothing that is returned or raised contains it.
"""

from __future__ import annotations

import json
import queue
import threading
from urllib.parse import urlsplit

import requests

from reconciler.model.errors import TaskctlError
from reconciler.model.hosts import is_loopback
from reconciler.remote.network import ca_bundle, proxies_for

SECONDS = 10.0
_REDIRECTS = range(300, 400)
_SUCCESS = range(200, 300)


def send_notification(url: str, text: str) -> str | None:
    """Sends the JSON `{"text": ...}` that Slack accepts. Returns None, or why it was not
    accepted. Redirects are not followed."""
    if not _is_allowed(url):
        return "the URL must be https, or http to this machine"
    outcome: queue.Queue[str | None] = queue.Queue()
    # A thread, because neither name resolution nor a response that trickles obeys a timeout.
    threading.Thread(target=lambda: outcome.put(_post(url, text)), daemon=True).start()
    try:
        return outcome.get(timeout=SECONDS)
    except queue.Empty:
        return f"no response within {SECONDS:.0f} s"


def _is_allowed(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    return bool(host) and (
        parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    )


def _post(url: str, text: str) -> str | None:
    try:
        with requests.Session() as session:
            session.trust_env = False  # nothing of ~/.netrc goes there
            response = session.post(
                url,
                data=json.dumps({"text": text}).encode(),
                headers={"Content-Type": "application/json"},
                timeout=SECONDS,
                allow_redirects=False,
                proxies=proxies_for(url),
                verify=ca_bundle(),
                stream=True,
            )
    except TaskctlError as problem:
        return f"{problem.diagnostics[0].code}"
    except Exception as problem:  # noqa: BLE001 - its text, and a traceback, may contain the URL
        return type(problem).__name__
    if response.status_code in _REDIRECTS:
        return f"HTTP {response.status_code}; redirects are not followed"
    return None if response.status_code in _SUCCESS else f"HTTP {response.status_code}"
