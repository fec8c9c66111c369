"""A digest that shows whether two runs declare the same tasks. Pure.

Only declarations count, not comments, lines and the order of files. Entries that recur count as
they are written, so that a new period changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.manifest.loader import Manifests
from reconciler.model.canonical import digest
from reconciler.model.task import DesiredTask, Expectation
from reconciler.model.typed_json import builtins_of


def declared_digest(manifests: Manifests, scope: Sequence[str]) -> str:
    """The digest of the declared tasks and of the PATHs."""
    recurring = (entry for entry in manifests.entries if entry.recurrence is not None)
    written = {digest([e.file, e.name, e.written, _expected(e.expect)]) for e in recurring}
    removed = ([removal.org_name or "", removal.pattern] for removal in manifests.removed)
    tasks = {digest(_declared(task)) for task in manifests.tasks}
    return digest([sorted(scope), sorted(written), sorted(removed), sorted(tasks)])


def _declared(task: DesiredTask) -> object:
    """The declaration of a task, or of all tasks of an entry that recurs."""
    made = task.origin
    if made is not None and made.generated.period is not None:
        return [task.file, task.declared_key, task.org_name, made.template]
    own = [str(task.ref), task.inputs, task.task_id, task.moved_from, task.after]
    rules = [made.rollout, made.is_pilot, made.waits] if made is not None else []
    return builtins_of([*own, _expected(task.expect), *rules])


def _expected(expect: Expectation | None) -> str:
    return expect.digest if expect is not None else ""
