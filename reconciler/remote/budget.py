"""Reads the Neo token budget of an organization. Failures are not errors.

Only a forecast depends on it, and a refusal that the service would make itself.
"""

from __future__ import annotations

from urllib.parse import quote

from reconciler.plan.budget import Budget, read_budget
from reconciler.remote import responses
from reconciler.remote.client import Client
from reconciler.remote.exchange import NoResponseError, Request
from reconciler.remote.failures import reason

PATIENCE = 10.0
"""Timeout in seconds; a plan does not need the response."""


def ask_budget(client: Client, org_name: str) -> Budget | str:
    """The budget of the token's user, or why there is none (without secrets)."""
    path = f"/api/orgs/{quote(org_name.encode('utf-8', 'surrogatepass'), safe='')}/neo/token-budget"
    try:
        response = client.asked_once(Request("GET", path), PATIENCE)
    except NoResponseError as lost:
        return reason(lost, client.scrub)
    if responses.says(response, 404):
        return "no Neo token budget applies, or the service does not have them"
    if not 200 <= response.status < 300:
        return client.scrub(responses.response_name(response))
    try:
        data = client.scrub.values(responses.decode(response.body), response.body)
        found = read_budget(org_name, data)
    except ValueError:
        found = None
    return found or "the response is not a Neo token budget"
