"""The Neo token budgets of the organizations that a command concerns: each is asked for once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from reconciler.cli.console.output import Output
from reconciler.model.task import Inputs
from reconciler.plan.budget import Budget, Outlook, forecast, samples
from reconciler.plan.plan import Plan
from reconciler.plan.view import RemoteView
from reconciler.remote.client import Client
from reconciler.state.model import State


class Budgets:
    """Asks `client`; what it has no budget for is told with `-v` alone."""

    def __init__(self, client: Client, out: Output) -> None:
        self._client = client
        self._out = out
        self._known: dict[str, Budget | None] = {}

    def planned(self, plan: Plan, state: State, view: RemoteView) -> Plan:
        """The plan with an outlook for each organization that it creates tasks in. Where it creates
        none nothing is asked: a settled plan is to be quick."""
        wanted: dict[str, list[Inputs]] = {}
        for task in plan.tasks:
            if task.creates and task.desired is not None:
                wanted.setdefault(task.ref.org_name, []).append(task.desired.inputs)
        budgets = list(self.of(wanted))
        if not budgets:
            return plan
        known, now = list(samples(state, view)), view.clocks.moment
        outlooks = (Outlook(b, now, forecast(wanted[b.org_name], known)) for b in budgets)
        return replace(plan, budgets=tuple(outlooks))

    def outlooks(self, org_names: Iterable[str], now: datetime) -> tuple[Outlook, ...]:
        """What is left, with no look at what is to come."""
        return tuple(Outlook(budget, now) for budget in self.of(org_names))

    def of(self, org_names: Iterable[str]) -> Iterable[Budget]:
        for org_name in sorted(set(org_names)):
            if org_name not in self._known:
                self._known[org_name] = self._asked(org_name)
            budget = self._known[org_name]
            if budget is not None:
                yield budget

    def _asked(self, org_name: str) -> Budget | None:
        from reconciler.remote.budget import ask_budget

        found = ask_budget(self._client, org_name)
        if isinstance(found, Budget):
            return found
        self._out.detail(f"budget: none for {org_name}: {found}")
        return None
