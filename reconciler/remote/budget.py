"""Asks for the Neo token budget: one request for each organization, and no answer is an error.

Nothing depends on it but a forecast and a refusal that the service would make itself.
"""

from __future__ import annotations

from urllib.parse import quote

from reconciler.plan.budget import Budget, read_budget
from reconciler.remote import responses
from reconciler.remote.client import Client
from reconciler.remote.exchange import NoAnswerError, Request
from reconciler.remote.failures import reason

PATIENCE = 10.0
"""Seconds that the answer may take: a plan must not wait for what it can do without."""


def ask_budget(client: Client, org_name: str) -> Budget | str:
    """The budget of this token's user there; else, in words without secrets, why there is none."""
    path = f"/api/orgs/{quote(org_name.encode('utf-8', 'surrogatepass'), safe='')}/neo/token-budget"
    try:
        answer = client.asked_once(Request("GET", path), PATIENCE)
    except NoAnswerError as lost:
        return reason(lost, client.scrub)
    if responses.says(answer, 404):
        return "no Neo token budget applies there, or the service knows of none"
    if not 200 <= answer.status < 300:
        return client.scrub(responses.name_of(answer))
    try:
        data = client.scrub.values(responses.decode(answer.body), answer.body)
        found = read_budget(org_name, data)
    except ValueError:
        found = None
    return found or "the answer is no Neo token budget"
