"""Strategies for valid YAML in any layout: any indentation, any gap, comments anywhere."""

from __future__ import annotations

from hypothesis import strategies as st

KEYS = st.sampled_from(["a", "b", "c", "on", "010", "'q r'", '"d\\x41"', "größe", "x.y-z"])
SCALARS = st.sampled_from(
    [
        "1",
        "010",
        "1_000",
        "on",
        "~",
        "null",
        "1e3",
        "0x1F",
        "plain text",
        "a#b",
        "http://x/?a=b",
        "'it''s'",
        '"\\u00e9 \\  "',
        "'  '",
        "!!str 5",
        "[1,  {a:   b} ,c ]",
        "{ a: 1,b: [ ] , 'c':2}",
        "[]",
        "{}",
        "",
    ]
)
COMMENTS = st.sampled_from(["# why", "#", "#no blank", "#   - a: b  "])
WORDS = st.sampled_from(["one", "two  ", "  three", "# four", "- five", "k: v", "", "", " \t six"])
HEADS = st.sampled_from(["|", ">", "|-", ">+", "|+", ">-"])


@st.composite
def gaps(draw: st.DrawFn) -> str:
    """Empty lines and comments between two lines, at any column."""
    rows = draw(st.lists(st.one_of(st.just(""), st.just("   "), COMMENTS), max_size=3))
    return "".join(f"{' ' * draw(st.integers(0, 9)) if r else ''}{r}\n" for r in rows)


@st.composite
def behind(draw: st.DrawFn) -> str:
    """What may follow a value on its line: blanks or a comment."""
    comment = draw(st.one_of(st.just(""), st.just(""), COMMENTS))
    return f"{' ' * draw(st.integers(1, 6))}{comment}" if comment else ""


@st.composite
def block_texts(draw: st.DrawFn, column: int) -> str:
    """A block scalar in a collection at `column`, including its final newline."""
    head, width = draw(HEADS), draw(st.integers(1, 5))
    lines = draw(st.lists(WORDS, min_size=1, max_size=4))
    if draw(st.booleans()):
        head = head[0] + str(width) + head[1:]
    else:
        lines[0] = "begin"
    pad = " " * (column + width)
    body = "".join(pad + line + "\n" if line.strip() else "\n" for line in lines)
    return f" {head}{draw(behind())}\n{body}"


@st.composite
def quoted_texts(draw: st.DrawFn, column: int) -> str:
    """A plain or quoted scalar of several lines."""
    quote = draw(st.sampled_from(["", "'", '"']))
    lines = [line.strip(" \t#-:").replace(": ", " ") for line in draw(st.lists(WORDS, max_size=3))]
    more = [" " * (column + draw(st.integers(1, 4))) + line if line else "" for line in lines]
    if quote == '"' and draw(st.booleans()):
        more.append(" " * (column + 3) + "\\  x \\ ")
    last = " " * (column + 2) + f"end{quote}"
    return " " + "\n".join([f"{quote}begin  ", *more, last]) + f"{draw(behind())}\n"


@st.composite
def values(draw: st.DrawFn, column: int, depth: int) -> str:
    """What follows `key:` or `-` in a collection at `column`, including its newline."""
    anchor = draw(st.sampled_from(["", "", "", "  &x"]))
    kind = draw(st.integers(0, 5 if depth else 2))
    if kind == 1:
        return anchor + draw(block_texts(column))
    if kind == 2:
        return anchor + draw(quoted_texts(column))
    if kind in (0, 5):
        blank = " " * draw(st.integers(1, 4))
        return f"{anchor}{blank}{draw(SCALARS)}{draw(behind())}\n"
    inner = column + draw(st.integers(1, 5))
    body = draw(lists(inner, depth - 1) if kind == 3 else mappings(inner, depth - 1))
    return f"{anchor}{draw(behind())}\n{body}"


@st.composite
def mappings(draw: st.DrawFn, column: int, depth: int) -> str:
    rows = []
    for key in draw(st.lists(KEYS, min_size=1, max_size=3, unique=True)):
        gap, pad = draw(gaps()), " " * column
        if depth and draw(st.integers(0, 4)) == 0:  # a list that is not indented
            rows.append(f"{gap}{pad}{key}:\n{draw(lists(column, depth - 1))}")
        else:
            rows.append(f"{gap}{pad}{key}:{draw(values(column, depth))}")
    return "".join(rows)


@st.composite
def lists(draw: st.DrawFn, column: int, depth: int) -> str:
    rows = []
    for _ in range(draw(st.integers(1, 3))):
        gap, pad = draw(gaps()), " " * column
        if depth and draw(st.integers(0, 2)) == 0:  # a mapping or list in the line of its dash
            blank = " " * draw(st.integers(1, 4))
            below = column + 1 + len(blank)
            inner = draw(mappings(below, depth - 1))
            first = inner.lstrip("\n ")
            if not first.startswith("#"):
                rows.append(f"{gap}{pad}-{blank}{first}")
                continue
        rows.append(f"{gap}{pad}-{draw(values(column, depth))}")
    return "".join(rows)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A whole file."""
    begin = draw(st.sampled_from(["", "---\n", "--- # c\n", "\ufeff", "# c\n\n\n"]))
    end = draw(st.sampled_from(["", "", "...\n", "---\n", "\n\n# end"]))
    body = draw(gaps()) + draw(mappings(draw(st.integers(0, 3)), 3)) + draw(gaps())
    if begin == "---\n" or not end:
        body = body.rstrip("\n") if draw(st.booleans()) and not end else body
    text = begin + body + end
    return text.replace("\n", draw(st.sampled_from(["\n", "\n", "\r\n"])))
