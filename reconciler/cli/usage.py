"""The error for a command line that cannot be run."""

from __future__ import annotations

import click

from reconciler.model.codes import Code
from reconciler.model.remarks import Arg, Remark


class UsageError(click.BadParameter):
    """A command line that cannot be run: the case of its wording (TC804 in `messages/usage.md`)
    and its facts. The help of the called command explains it. click adds the parameter of an
    invalid value."""

    def __init__(self, case: str, /, **facts: Arg) -> None:
        super().__init__(case, click.get_current_context(silent=True))
        self.cause = Remark(case, facts, Code.USAGE)
