"""The newest tasks of each organization before the first attempt of an apply."""

from __future__ import annotations

import threading

from reconciler.apply.context import ApplyContext
from reconciler.model.errors import RemoteError
from reconciler.plan.lookup import BASELINE_SIZE
from reconciler.state.attempt import Baseline


class Baselines:
    """Reads each once, unless the plan has read it already. Safe to use from many threads."""

    def __init__(self, ctx: ApplyContext) -> None:
        self._ctx = ctx
        self._lock = threading.Lock()

    def of(self, org_name: str) -> Baseline:
        """RemoteError if the list cannot be read: without it, a create could not be looked up."""
        with self._lock:
            known = self._ctx.baselines.get(org_name)
            if known is None:
                known = self._ctx.baselines[org_name] = self._read(org_name)
            return known

    def _read(self, org_name: str) -> Baseline:
        pages = self._ctx.service.list_tasks(org_name)
        page = next(pages, None)
        if page is not None and page.problem is not None:
            raise RemoteError([page.problem])
        tasks = page.tasks if page is not None else ()
        return Baseline(org_name, tuple(dict.fromkeys(t.id for t in tasks))[:BASELINE_SIZE])
