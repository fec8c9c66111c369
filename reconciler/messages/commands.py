"""The commands that taskctl suggests, complete with the options and PATHs of this run, so that they
can be pasted.

This is the only state of the process that wording depends on: the command line is the same for
everything that a process writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol


class Instead(Protocol):
    """Replaces a command that its reader may not run; `shared`: anybody may read it."""

    def __call__(self, command: str, *, shared: bool) -> str: ...


def _nothing(command: str, *, shared: bool) -> str:
    del shared
    return command


class _Run:
    def __init__(self) -> None:
        self.complete: Callable[[str], str] = str
        self.plan_file: Callable[[], str] = str
        self.instead: Instead = _nothing
        self.is_shared = False


_RUN = _Run()


def use_command_line(
    complete: Callable[[str], str] = str,
    plan_file: Callable[[], str] = str,
    instead: Instead = _nothing,
) -> None:
    """Sets what completes a command with the options and PATHs of this run, what returns the saved
    plan that this run shows or writes, or an empty text, and what replaces commands. Without
    arguments: nothing does."""
    _RUN.complete, _RUN.plan_file, _RUN.instead = complete, plan_file, instead


@contextmanager
def for_everybody(*, shared: bool = True) -> Iterator[None]:
    """Commands that are worded in the meantime are `shared`: in a comment or a chat message."""
    before, _RUN.is_shared = _RUN.is_shared, shared
    try:
        yield
    finally:
        _RUN.is_shared = before


def completed(text: str) -> str:
    """A text in which each line that is a taskctl command has the options of this run, or is what
    its reader can run instead."""
    if "taskctl " not in text:
        return text
    return "\n".join(line for each in text.split("\n") for line in _completed_lines(each))


def _completed_lines(line: str) -> Iterator[str]:
    command = line.lstrip(" ")
    if not command.startswith("taskctl "):
        yield line
        return
    indent = line[: len(line) - len(command)]
    found = _RUN.instead(command, shared=_RUN.is_shared)
    if found == command:
        found = _RUN.complete(command)
    yield from (f"{indent}{row}" for row in found.split("\n"))


def see_whole_plan(*target: str) -> str:
    """The command that shows a plan with everything in it."""
    from reconciler.model.shell import command_line  # most runs suggest no command

    if file := _RUN.plan_file():
        return completed(command_line("show", file, "-v"))
    return completed(command_line("plan", "-v", *target))


def see_whole_prompt(pattern: str) -> str:
    """The command that shows the whole prompt of the tasks whose keys match."""
    return see_whole_plan("--target", pattern)
