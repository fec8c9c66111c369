"""Sends a message to a webhook.

The URL is a credential: no result and no exception contains it.
"""

from __future__ import annotations

import json
import queue
import threading

import requests

from reconciler.model.diagnostics import TaskctlError
from reconciler.model.hosts import is_loopback
from reconciler.remote.addresses import split_url
from reconciler.remote.network import ca_bundle, proxies_for

TIMEOUT = 10.0  # seconds

_PLAIN = {"mrkdwn": False, "unfurl_links": False, "unfurl_media": False}
"""The text quotes agents: it has no formatting, and Slack must not fetch or preview its URLs."""


def send_notification(url: str, text: str) -> str | None:
    """Posts a text as JSON, as Slack expects it. Returns None, or why it failed. Redirects are not
    followed."""
    parts = split_url(url)
    if (
        parts is None
        or not parts.hostname
        or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname)))
    ):
        return "the URL must be https, or http to this machine"
    outcome: queue.Queue[str | None] = queue.Queue()
    # In a thread, because requests applies no timeout to name resolution or the whole response.
    threading.Thread(target=lambda: outcome.put(_post(url, text)), daemon=True).start()
    try:
        return outcome.get(timeout=TIMEOUT)
    except queue.Empty:
        return f"no response within {TIMEOUT:.0f} s"


def _post(url: str, text: str) -> str | None:
    try:
        with requests.Session() as session:
            session.trust_env = False  # do not send credentials from ~/.netrc
            response = session.post(
                url,
                data=json.dumps({"text": text, **_PLAIN}).encode(),
                headers={"Content-Type": "application/json"},
                timeout=TIMEOUT,
                allow_redirects=False,
                proxies=proxies_for(url),
                verify=ca_bundle(),
                stream=True,
            )
    except TaskctlError as problem:
        return f"{problem.diagnostics[0].code}"
    except Exception as problem:  # noqa: BLE001 - its text and traceback may contain the URL
        return type(problem).__name__
    status = response.status_code
    if 300 <= status < 400:
        return f"HTTP {status}; redirects are not followed"
    return None if 200 <= status < 300 else f"HTTP {status}"
