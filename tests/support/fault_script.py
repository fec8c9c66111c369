"""The faults that the fault server injects, and when: values with a JSON form, and a script of
them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

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
      reset     the connection is reset (RST), no byte of an answer
      close     it is closed (FIN), no byte of an answer
      trap      a good answer; the next request on this connection meets a reset, unread
      cut       a good answer, its body cut in the middle
      status    `status`, the service's kind of error, with `headers` and the words `text`
      raw       `status` and the body `text` as it is, with `headers`
      wire      the bytes `text` as they are instead of a response, then a close
      interim   a good answer after the interim response `text`, on the same connection
      endless   the interim response `text`, again and again
      html      `status` and a proxy's HTML page
      redirect  `status` to the Location in `headers`
      garbage   a good status and type, no JSON
      empty     a good status, JSON, but nothing in it (`{}`: no id)
    None: nothing wrong but the waiting.

    `trickle`: seconds between the bytes of a response.

    `committed`: a create (or patch) takes effect all the same; always so with no kind, `trap`,
    `cut`, `garbage` and `empty`, which begin with a good answer. `before` and `after` are seconds
    to wait, before it takes effect and after: the handler goes on even when the client has died.
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

    `nth`: which calls, from 1 (none named: every one), counted for the endpoint as a whole, or
    among those that match where `task` (a task id) or `contains` (text in the body) is given.
    """

    endpoint: str
    fault: Fault
    nth: tuple[int, ...] = ()
    task: str | None = None
    contains: str | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Rule:
        values = dict(data)
        fault = Fault(**values.pop("fault"))
        return cls(fault=fault, **{**values, "nth": tuple(values.get("nth", ()))})


@dataclass(frozen=True)
class Call:
    """One request as it came in. `nth` counts the endpoint's calls from 1."""

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
    """Picks the fault of each call: the first rule that fits. Safe to use from many threads."""

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
