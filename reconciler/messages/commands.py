"""The commands that taskctl suggests, complete with the options and PATHs of this run, so that they
can be pasted.

This is the only state of the process that wording depends on: the command line is the same for
everything that a process writes.
"""

from __future__ import annotations

from collections.abc import Callable


class _Run:
    def __init__(self) -> None:
        self.complete: Callable[[str], str] = str
        self.plan_file: Callable[[], str] = str


_RUN = _Run()


def use_command_line(
    complete: Callable[[str], str] = str, plan_file: Callable[[], str] = str
) -> None:
    """Sets what completes a command with the options and PATHs of this run, and what returns the
    saved plan that this run shows or writes, or an empty text. Without arguments: neither."""
    _RUN.complete, _RUN.plan_file = complete, plan_file


def completed(text: str) -> str:
    """A text in which each line that is a taskctl command has the options of this run."""
    if "taskctl " not in text:
        return text
    lines = text.split("\n")
    return "\n".join(_completed_line(line) for line in lines)


def _completed_line(line: str) -> str:
    command = line.lstrip(" ")
    if not command.startswith("taskctl "):
        return line
    return line[: len(line) - len(command)] + _RUN.complete(command)


def see_whole_plan(*target: str) -> str:
    """The command that shows a plan with everything in it."""
    from reconciler.model.shell import command_line  # most runs suggest no command

    if file := _RUN.plan_file():
        return completed(command_line("show", file, "-v"))
    return completed(command_line("plan", "-v", *target))


def see_whole_prompt(pattern: str) -> str:
    """The command that shows the whole prompt of the tasks whose keys match."""
    return see_whole_plan("--target", pattern)
