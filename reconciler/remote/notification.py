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
from reconciler.model.remarks import Remark, remark
from reconciler.remote.addresses import split_url
from reconciler.remote.network import ca_bundle, proxies_for

TIMEOUT = 10.0  # seconds

_PLAIN = {"mrkdwn": False, "unfurl_links": False, "unfurl_media": False}
"""The text quotes agents: it has no formatting, and Slack must not fetch or preview its URLs."""


def send_notification(url: str, text: str) -> Remark | None:
    """Posts a text as JSON, as Slack expects it. Returns None, or why it failed. Redirects are not
    followed."""
    parts = split_url(url)
    if (
        parts is None
        or not parts.hostname
        or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname)))
    ):
        return remark("notify.address")
    outcome: queue.Queue[Remark | None] = queue.Queue()
    # In a thread, because requests applies no timeout to name resolution or the whole response.
    threading.Thread(target=lambda: outcome.put(_post(url, text)), daemon=True).start()
    try:
        return outcome.get(timeout=TIMEOUT)
    except queue.Empty:
        return remark("notify.timeout", seconds=round(TIMEOUT))


def _post(url: str, text: str) -> Remark | None:
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
        return remark("notify.failed", error=problem.diagnostics[0].code.value)
    except Exception as problem:  # noqa: BLE001 - its text and traceback may contain the URL
        return remark("notify.failed", error=type(problem).__name__)
    status = response.status_code
    if 200 <= status < 300:
        return None
    return remark("notify.redirect" if 300 <= status < 400 else "notify.refused", status=status)
