"""The keys of tasks, each on a line, for scripts."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.model.shell import key_word
from reconciler.model.task import TaskRef
from reconciler.render.style import Style
from reconciler.render.view import ReportView


def render(view: ReportView, style: Style) -> str:
    """The keys of the tasks that the text shows: those of unchanged tasks only with -v."""
    tasks = view.tasks(style)
    return key_lines([t.ref for t in tasks if style.verbose or t.word != "unchanged"])


def key_lines(refs: Sequence[TaskRef]) -> str:
    """`KEY`; `ORG/KEY` if there are several organizations. Scripts pass them to commands, so a
    hostile state must not turn a key into an option or a glob."""
    several = len({ref.org_name for ref in refs}) > 1
    return "".join(f"{key_word(str(ref) if several else ref.key)}\n" for ref in refs)
