"""The faults that the fault server injects, and when."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "reset",
    "close",
    "trap",
    "cut",
    "status",
    "raw",
    "wire",
    "interim",
    "endless",
    "html",
    "redirect",
    "garbage",
    "empty",
]


@dataclass(frozen=True)
class Fault:
    """The fault of one request.

    `kind`:
      reset     the connection is reset (RST) without a response
      close     the connection is closed (FIN) without a response
      trap      a valid response; the next request on this connection is reset without being read
      cut       a valid response whose body is truncated
      status    an error of the service: `status`, `headers` and the message `text`
      raw       `status`, `headers` and the unchanged body `text`
      wire      the bytes `text` instead of a response, then the connection is closed
      interim   the interim response `text`, then a valid response on the same connection
      endless   the interim response `text`, repeated without end
      html      `status` and a proxy's HTML page
      redirect  `status`, redirecting to the Location in `headers`
      garbage   a valid status and content type, but a body that is not JSON
      empty     a valid status and an empty JSON object, so no ID
    None: only the delays.

    `trickle`: seconds between the bytes of a response.

    `committed`: a create (or patch) takes effect despite the fault; without a kind, and with
    `trap`, `cut`, `garbage`, `empty` and `interim`, it always does. `before` and `after` are the
    seconds to wait before and after it takes effect, even if the client has died.
    """

    kind: Kind | None = None
    committed: bool = False
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = "injected"
    before: float = 0.0
    after: float = 0.0
    trickle: float = 0.0

    @property
    def takes_effect(self) -> bool:
        return self.committed or self.kind in (None, "trap", "cut", "garbage", "empty", "interim")


@dataclass(frozen=True)
class Rule:
    """A fault for the calls of one endpoint: create, list, get, patch, events, user, default-org,
    budget.

    `nth`: the numbers of the calls, from 1 (empty: all calls). With `task` (a task ID) or
    `contains` (text in the body), only matching calls are counted; otherwise, all calls of the
    endpoint.
    """

    endpoint: str
    fault: Fault
    nth: tuple[int, ...] = ()
    task: str | None = None
    contains: str | None = None


@dataclass(frozen=True)
class Call:
    """One request as received. `nth` counts the endpoint's calls from 1."""

    endpoint: str
    nth: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: str
    connection: int
    task_id: str | None = None


Chooser = Callable[[Call], Fault | None]


class Script:
    """Selects the fault of each call: that of the first matching rule. Thread-safe."""

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self._lock = threading.Lock()
        self._rules = list(rules)
        self._matched: Counter[int] = Counter()

    def __call__(self, call: Call) -> Fault | None:
        with self._lock:
            for index, rule in enumerate(self._rules):
                if rule.endpoint != call.endpoint:
                    continue
                if rule.task not in (None, call.task_id) or (rule.contains or "") not in call.body:
                    continue
                self._matched[index] += 1
                narrowed = rule.task is not None or rule.contains is not None
                if not rule.nth or (self._matched[index] if narrowed else call.nth) in rule.nth:
                    return rule.fault
        return None
