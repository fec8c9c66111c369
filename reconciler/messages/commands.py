"""The commands that taskctl suggests, with the options and PATHs of the run, so that they can be
pasted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


class Commands:
    """Prints suggested commands. This class prints them unchanged; the class of the command line
    (`cli/command.py`) adds the options and PATHs of the run, or replaces commands that a reader may
    not run.
    """

    def lines(self, command: str) -> Sequence[str]:
        """The lines for a command, which begins with `taskctl`."""
        return (command,)

    def for_everybody(self) -> Commands:
        """The same lines for a text that others read, such as a comment."""
        return self

    def completed(self, text: str) -> str:
        """A text in which each line that is a taskctl command is replaced by its lines."""
        if "taskctl " not in text:
            return text
        return "\n".join(line for each in text.split("\n") for line in self._completed(each))

    def block(self, commands: str) -> tuple[str, ...]:
        """The lines for several commands; a comment that several of them have is printed once."""
        return tuple(dict.fromkeys(self.completed(commands).split("\n"))) if commands else ()

    def _completed(self, line: str) -> Iterator[str]:
        command = line.lstrip(" ")
        if not command.startswith("taskctl "):
            yield line
            return
        indent = line[: len(line) - len(command)]
        yield from (f"{indent}{row}" for row in self.lines(command))

    def see_whole_plan(self) -> str:
        """The command that shows a complete plan."""
        return self.completed("taskctl plan -v")


AS_WRITTEN = Commands()
