#!/usr/bin/env python3
"""Prints a short-lived Pulumi access token of a user, in exchange for a CI job's identity token.

    python3 -I script/pulumi_token.py ORGANIZATION USER [SECONDS]

The token expires after that many seconds, or earlier. The identity token is in PULUMI_ID_TOKEN, and
its audience is urn:pulumi:org:ORGANIZATION. The organization must have registered the CI system as
an OIDC issuer. PULUMI_BACKEND_URL names the service (default: https://api.pulumi.com).
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from urllib.parse import urlsplit


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """The identity token is for one address alone."""

    def redirect_request(self, *_: object) -> None:
        return None


def main(arguments: list[str]) -> str | int:
    """The exit code, or the reason why it failed."""
    if len(arguments) not in (2, 3) or not os.environ.get("PULUMI_ID_TOKEN"):
        return "usage: PULUMI_ID_TOKEN=... pulumi_token.py ORGANIZATION USER [SECONDS]"
    organization, user, *seconds = arguments
    service = os.environ.get("PULUMI_BACKEND_URL") or "https://api.pulumi.com"
    parts = urlsplit(service)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        return f"pulumi_token.py: {service} is not https"
    kind = "urn:ietf:params:oauth:grant-type:token-exchange"
    body = {
        "audience": f"urn:pulumi:org:{organization}",
        "grant_type": kind,
        "subject_token": os.environ["PULUMI_ID_TOKEN"],
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        "requested_token_type": "urn:pulumi:token-type:access_token:personal",
        "scope": f"user:{user}",
        **({"expiration": int(seconds[0])} if seconds else {}),
    }
    request = urllib.request.Request(
        f"{service.rstrip('/')}/api/oauth/token",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "Accept": "application/vnd.pulumi+8"},
    )
    try:
        with urllib.request.build_opener(NoRedirect).open(request, timeout=60) as response:
            print(json.load(response)["access_token"])
    except (OSError, ValueError, KeyError, TypeError) as problem:
        return f"pulumi_token.py: no token for {user} from {service}: {problem}"
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
