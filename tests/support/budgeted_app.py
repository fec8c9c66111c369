"""The embedded service with a Neo token budget, as Pulumi Cloud has it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.embedded.app import App
from reconciler.embedded.tasks import COLUMNS, StoredTask
from reconciler.embedded.wsgi import ApiError, ApiResponse, error_response, json_response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


@dataclass(frozen=True)
class TokenBudget:
    """The number of tokens that an organization may use until `window_end` (Unix time; 0: no
    end)."""

    allowance: int
    window_end: int = 0


class BudgetedApp(App):
    """Rejects create requests once the tasks of an organization have used up the `budget`."""

    budget: TokenBudget | None = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        response = self._of_budget(environ["REQUEST_METHOD"], environ["PATH_INFO"].split("/"))
        if response is None:
            return super().__call__(environ, start_response)
        start_response(response.status_line, list(response.headers))
        return response.chunks

    def _of_budget(self, method: str, path: list[str]) -> ApiResponse | None:
        match method, path, self.budget:
            case "GET", ["", "api", "orgs", org, "neo", "token-budget"], TokenBudget() as budget:
                used = self._used(org)
                document = {
                    "consumedTokens": used,
                    "effectiveAllowanceTokens": budget.allowance,
                    "exhausted": used >= budget.allowance,
                    "windowEnd": budget.window_end,
                    "windowKind": "individual",
                }
                return json_response(200, document)
            case "POST", ["", "api", "preview", "agents", org, "tasks"], TokenBudget() as budget:
                if self._used(org) >= budget.allowance:
                    return error_response(ApiError(402, "Payment Required: the usage limit"))
            case _:
                pass
        return None

    def _used(self, org: str) -> int:
        """The tokens of turns that have ended."""
        statement = f"SELECT {COLUMNS} FROM tasks WHERE org = ?"
        with self._ctx.storage.reading() as connection:
            rows = connection.execute(statement, (org,)).fetchall()
        return sum(StoredTask(*row).used_at(self._ctx.now_ms()) for row in rows)
