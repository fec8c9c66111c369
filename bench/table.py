"""The rows of the table, and the table itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isinf


@dataclass(frozen=True)
class Row:
    """A measurement: `value`, its required minimum and its goal.

    Either may be infinite: there is none. `smaller`: lower values are better. `unit` follows each
    value. `medians` are the times behind the ratio.
    """

    what: str
    value: float
    at_least: float
    aim: float
    unit: str
    medians: str
    smaller: bool = False

    @property
    def verdict(self) -> str:
        if isinf(self.aim):
            return ""
        if self._reaches(self.aim):
            return "aim"
        if isinf(self.at_least):
            return "aim missed"
        return "met" if self._reaches(self.at_least) else "MISSED"

    def _reaches(self, mark: float) -> bool:
        return self.value <= mark if self.smaller else self.value >= mark

    def cells(self) -> tuple[str, ...]:
        numbers = (self.value, self.at_least, self.aim)
        shown = ["" if isinf(number) else _number(number) + self.unit for number in numbers]
        return (self.what, *shown, self.verdict, self.medians)


def table(rows: Iterable[Row]) -> str:
    """Markdown with aligned columns."""
    head = ("what", "measured", "at least", "aim", "", "medians")
    lines = [head, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    texts = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
    rule = "| " + " | ".join("-" * width for width in widths) + " |"
    return "\n".join([texts[0], rule, *texts[1:]])


def _number(number: float) -> str:
    return f"{number:.0f}" if number >= 100 or number == int(number) else f"{number:.2f}"
