"""Strategies for YAML text: documents in every style, and random text that is almost YAML."""

from __future__ import annotations

from hypothesis import strategies as st

_PLAIN = """
on no yes true False NULL ~ null 1 -0 010 1_000 0o17 0x1F 1.5 -.5 1e3 12e03 .inf .NaN = +1 +
2026-11-24 2026-11-24T09:00:00Z 12:30:45 a a-b a_b x:y a#b http://x.org/?q=1 größe 日本 🙂
. .. 0b1 1__0 0o8 0x
"""
PLAIN = st.sampled_from(_PLAIN.split())
TEXT = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=12)
KEYS = st.sampled_from(["a", "b", "c", "tasks", "on", "1", "null", "größe", "a.b-c", "<<"])


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _escaped(text: str) -> str:
    out = []
    for char in text:
        code = ord(char)
        if char in '\\"':
            out.append("\\" + char)
        elif code < 0x7F:
            out.append(char)
        else:
            out.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return '"' + "".join(out) + '"'


SCALAR = st.one_of(
    PLAIN,
    TEXT.map(_quoted),
    TEXT.map(_escaped),
    st.sampled_from(
        ["", "!!str 5", "!!int 7", "!!float 3", '!!bool "true"', "! 5", "!x y", "!!set"]
    ),
)


def _flow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(KEYS, inner).map(lambda p: f"{p[0]}: {p[1]}")
    return st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(pair, max_size=3).map(lambda pairs: f"{{{', '.join(pairs)}}}"),
    )


FLOW = st.recursive(SCALAR.filter(bool), _flow, max_leaves=5)
LINE = st.text(st.sampled_from("ab é:#-'\"\\%@ \t"), max_size=10)


@st.composite
def block_scalars(draw: st.DrawFn, indent: int) -> str:
    head = draw(st.sampled_from(["|", ">", "|-", ">-", "|+", ">+", "| # why"]))
    lines = draw(st.lists(LINE, min_size=1, max_size=4))
    lines[0] = "x" + lines[0]
    pad = " " * indent
    return head + "\n" + "\n".join(pad + line if line.strip() else "" for line in lines)


@st.composite
def nodes(draw: st.DrawFn, indent: int = 0, depth: int = 3) -> str:
    """What may follow `key:` or `-`, including the blank."""
    anchor = draw(st.sampled_from(["", "", "", " &x", " &y"]))
    kinds = ["scalar", "scalar", "flow", "block", "alias", "map", "map", "list"]
    kind = draw(st.sampled_from(kinds if depth else kinds[:5]))
    if kind == "alias":
        return draw(st.sampled_from([" *x", " *y"]))
    if kind == "scalar":
        return f"{anchor} {draw(SCALAR)}"
    if kind == "flow":
        return f"{anchor} {draw(FLOW)}"
    if kind == "block":
        return f"{anchor} {draw(block_scalars(indent + 2))}"
    pad = "\n" + " " * (indent + 2)
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        comment = draw(st.sampled_from(["", "", "", "\n# why", "\n"]))
        head = f"{draw(KEYS)}:" if kind == "map" else "-"
        parts.append(f"{comment}{pad}{head}{draw(nodes(indent + 2, depth - 1))}")
    return anchor + "".join(parts)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A file of one or two documents, well-formed except for what our own rules reject."""
    begin = draw(st.sampled_from(["", "", "# a comment\n", "---\n", "%YAML 1.2\n---\n", "\ufeff"]))
    end = draw(st.sampled_from(["", "\n", "\n...\n", "\n---\n", "\n--- # none\n", "\n---\na: b\n"]))
    keys = draw(st.lists(KEYS, min_size=1, max_size=4))
    return begin + "\n".join(f"{key}:{draw(nodes())}" for key in keys) + end


SOUP = st.lists(
    st.sampled_from(
        [*"-?:,[]{}#&*|>'\"%@`ab1~ \n", "\n  ", "\n- ", ": ", "  ", "&x ", "*x", "---\n", "... "]
    ),
    max_size=14,
).map("".join)
