"""The result of expanding an entry, and the limit on all generated tasks of a run. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from reconciler.manifest.expand.periods import Period, Recurrence
from reconciler.manifest.expand.product import Values
from reconciler.manifest.expand.template import Vocabulary
from reconciler.manifest.finding import Finding
from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.similarity import SimilaritySearches
from reconciler.model.task import TaskOrigin


@dataclass(slots=True)
class Expansion:
    """The generated tasks by key, in order, with their origins, and the findings.

    - `values`: for tasks whose prompt is in a file, the values that fill its templates, which
      `vocabulary` checks.
    - `inputs`: the inputs with templates as written, for all `origins`; they are added once prompt
      files have been read.
    - `due`: the current period, None if it is not included; `latest`: the last period that may be
      due in any time zone.
    - `rows`: if no period is due, the keys of the rows without a period, with their `orgName`.
    - `written`: an entry that recurs, as written, with its rows: the same in each period.
    """

    tasks: dict[str, dict[str, object]] = field(default_factory=dict)
    origins: dict[str, TaskOrigin] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    values: dict[str, Values] = field(default_factory=dict)
    template: dict[str, object] = field(default_factory=dict)
    inputs: dict[str, object] = field(default_factory=dict)
    vocabulary: Vocabulary | None = None
    due: Period | None = None
    upcoming: tuple[Period, ...] = ()
    latest: Period | None = None
    rows: dict[str, str | None] = field(default_factory=dict)
    recurrence: Recurrence | None = None
    written: object = None


@dataclass(slots=True)
class Room:
    """The number of tasks that may still be generated, the bytes of their JSON and prompts, the
    values that entries may still read (those of their rows, and of each combination), and the
    searches for similar names."""

    tasks: int = limits.TASKS
    values: int = limits.ROW_VALUES
    bytes: int = limits.GENERATED_BYTES
    searches: SimilaritySearches = field(default_factory=SimilaritySearches)

    def take(self, size: int) -> bool:
        """Reserves the bytes of a task or prompt; False if too few are left."""
        self.bytes -= size
        return self.bytes >= 0


def too_large(name: str) -> Finding:
    """The error if the tasks of the entry `name` do not fit."""
    facts = {"limit": limits.GENERATED_BYTES >> 20}
    return Finding(Code.TOO_MANY_TASKS, ("tasks", name), "size", facts)
