"""The error for a command line that cannot be run."""

from __future__ import annotations

from collections.abc import Sequence

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


def not_among(value: str, known: Sequence[str]) -> UsageError:
    """The error for a value that is not `known`, with the most similar known value."""
    from difflib import get_close_matches

    facts: dict[str, Arg] = {"value": value, "known": tuple(known)}
    if near := get_close_matches(value, known, n=1, cutoff=0.7):
        return UsageError("choice.near", near=near[0], **facts)
    return UsageError("choice", **facts)
