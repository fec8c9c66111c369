"""Sends a message to a webhook.

The URL is a credential: no result and no exception contains it.
"""

from __future__ import annotations

import json

import requests

from reconciler.model.diagnostics import TaskctlError
from reconciler.model.hosts import is_loopback
from reconciler.model.remarks import Remark, remark
from reconciler.remote.addresses import split_url
from reconciler.remote.exchange import Exchange
from reconciler.remote.session import AddressSession

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
    try:
        status = _post(url, json.dumps({"text": text, **_PLAIN}).encode())
    except requests.Timeout:
        return remark("notify.timeout", seconds=round(TIMEOUT))
    except TaskctlError as problem:
        return remark("notify.failed", error=problem.diagnostics[0].code.value)
    except Exception as problem:  # noqa: BLE001 - its text and traceback may contain the URL
        return remark("notify.failed", error=type(problem).__name__)
    if 200 <= status < 300:
        return None
    return remark("notify.redirect" if 300 <= status < 400 else "notify.refused", status=status)


def _post(url: str, body: bytes) -> int:
    """The status of the response."""
    exchange = Exchange(TIMEOUT, TIMEOUT, TIMEOUT)
    with AddressSession(url) as session, exchange:
        headers = {"Content-Type": "application/json"}
        request = session.prepare_request(requests.Request("POST", url, headers, data=body))
        with session.open(request, exchange) as response:
            return response.status_code
