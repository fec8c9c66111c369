"""Templates of messages: `{name}`, with a format for the kind of value.

- `{name}`: the text, on one line, so that no value looks like taskctl's text; `lines`: with
  its line breaks, for texts that taskctl made; `q`: text of a user, quoted and shortened
- `{name:key}`, `glob`, `org`, `id`, `number`, `file`, `address`, `url`, `request`: a word of a
  shell command, or a placeholder if the value is not valid as one (`model/shell.py`);
  `{name:sh}`: any quoted word
- `{name:cmd}`: a taskctl command with the words of a tuple
- `{name:list}`: the items of a tuple, separated by commas; `and`, `or`: with that word before the
  last item; `rows`: a line for each, after `- `
- `{name:n}`: a number with separators; `{name:s}`: the letter s unless the number is 1
- `{name:tokens}`: tokens as `1.2M`
- `{name:tasks}`: tasks that others wait for, a tuple with the key, the state and the seconds of
  each; state and seconds may be empty
- `{name:states}`: a line for each state with tasks in an organization, a tuple with the ID, the
  number of tasks, the date of the last, the users, three keys, the number of keys that are declared
  here, and of all declared keys; `others`: a line with the number of the other states
- `{name:hints}`: how to proceed after remarks, in several lines
- `{name:by}`: ` by USER`; `dated`: `, created DATE`; `{name:at}`: `PLACE: `;
  `until`: `, until TIME`; `paren`: ` (MORE)`; `more`: `, N more`; each is empty for an empty value
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from string import Formatter
from typing import Any, NamedTuple

from reconciler.model.paths import quoted
from reconciler.model.remarks import Arg
from reconciler.model.shell import WORDS, command_line
from reconciler.model.task_state import TaskState


class Hint(NamedTuple):
    """`text` describes the `commands`, which are ready to paste. Either may be empty."""

    text: str
    commands: tuple[str, ...]

    @property
    def lines(self) -> list[str]:
        return [*([self.text] if self.text else []), *self.commands]


class Words(NamedTuple):
    """The wording of remarks. `note` is one line, without a full stop."""

    note: str
    hints: tuple[Hint, ...]

    def __str__(self) -> str:
        return self.note

    def hint_text(self) -> str:
        """The hints as lines, for formats that have one text for them."""
        return "\n".join(line for hint in self.hints for line in hint.lines)


Fact = Arg | Words


def _line(value: object) -> str:
    return " ".join(str(value).splitlines())


def _items(value: Fact) -> tuple[str, ...]:
    if isinstance(value, Words):
        return (value.note,)
    return tuple(map(_line, value)) if isinstance(value, tuple) else (_line(value),)


def _joined(value: Fact, word: str) -> str:
    *most, last = _items(value)
    return f"{', '.join(most)} {word} {last}" if most else last


_FORMATS: dict[str, Callable[[Fact], str]] = {
    "": _line,
    "lines": str,
    "rows": lambda value: "\n- ".join(_items(value)),
    "hints": lambda value: value.hint_text() if isinstance(value, Words) else str(value),
    "q": lambda value: quoted(str(value)),
    "cmd": lambda value: command_line(*_items(value)),
    "s": lambda value: "" if value == 1 else "s",
    "list": lambda value: ", ".join(_items(value)),
    "or": lambda value: _joined(value, "or"),
    "and": lambda value: _joined(value, "and"),
    "tasks": lambda value: _tasks(_items(value)),
    "states": lambda value: "\n".join(map(_state, _groups(_items(value), 7))),
    "others": lambda value: (
        f"\n  {value:,} other{'s' * (value != 1)}, none of your keys" if value else ""
    ),
    "dated": lambda value: f", created {_line(value)}" if value else "",
    "by": lambda value: f" by {_line(value)}" if value else "",
    "more": lambda value: f", {_line(value)} more" if value else "",
    "n": lambda value: f"{value:,}",
    "tokens": lambda value: amount(int(str(value))),
    "at": lambda value: f"{_line(value)}: " if value else "",
    "until": lambda value: f", until {_line(value)}" if value else "",
    "paren": lambda value: f" ({', '.join(_items(value))})" if value else "",
}


_STANDING = {
    "missing": "not created yet",
    "over": "period is over",
    "waiting": "waiting for an answer",
    "toMerge": "waiting for a merge",
}
"""The wording for tasks that others wait for, instead of the label of their status."""


def _tasks(facts: tuple[str, ...]) -> str:
    """`rotate-keys@network-eu (running for 12 min), ...`."""
    each = zip(facts[::3], facts[1::3], facts[2::3], strict=True)
    return ", ".join(f"{key}{_standing(state, seconds)}" for key, state, seconds in each)


def _groups(facts: tuple[str, ...], size: int) -> list[tuple[str, ...]]:
    return [facts[at : at + size] for at in range(0, len(facts), size)]


def _state(facts: tuple[str, ...]) -> str:
    """`  kibor-tanuf-lisab  30 tasks, the last on 2026-11-30 by acme-ci, 12 of your 14 keys`."""
    name, count, date, users, keys, declared, all_declared = facts
    tasks = f"{int(count):,} task{'s' * (count != '1')}"
    last = f", the last on {date}" if date else ""
    by = f" by {users}" if users else ""
    yours = f"{all_declared} key{'s' * (all_declared != '1')}"
    own = f"{declared} of your {yours}" if int(declared) else "none of your keys"
    return f"  {name}  {tasks}{last}{by}, {own}" + (f" ({keys})" if keys else "")


def _standing(state: str, seconds: str) -> str:
    if not state:
        return ""
    lasted = f" for {_age(int(seconds))}" if seconds else ""
    return f" ({_STANDING.get(state) or _label(state)}{lasted})"


def _label(state: str) -> str:
    return next(each.label for each in TaskState if each == state)


def _age(seconds: int) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def amount(tokens: int) -> str:
    """`950`, `1.5k`, `240k`, `1.2M`: two or three digits, rounded."""
    scaled, unit = float(tokens), ""
    for following in ("k", "M", "G", "T"):
        if round(scaled) < 1000:
            break
        scaled, unit = scaled / 1000, following
    if not unit:
        return str(tokens)
    return f"{scaled:,.0f}{unit}" if scaled >= 99.95 else f"{scaled:.1f}{unit}"


class _Template(Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        word = WORDS.get(format_spec)
        return word(str(value)) if word is not None else _FORMATS[format_spec](value)


_TEMPLATE = _Template()


def fill(template: str, args: Mapping[str, Fact]) -> str:
    """The template with `args` in its placeholders. Raises KeyError if an argument is missing."""
    return _TEMPLATE.vformat(template, (), args) if "{" in template else template
