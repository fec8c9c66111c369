"""A Hypothesis strategy for JSON values."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st


def json_values(
    scalars: st.SearchStrategy[Any], names: st.SearchStrategy[str]
) -> st.SearchStrategy[Any]:
    """Scalars, and arrays and objects of them, nested at most three deep.

    Much faster to draw than `st.recursive`, which starts again if a value gets too large.
    """
    nested = scalars
    for size in (2, 2, 3):
        nested = st.one_of(
            scalars,
            scalars,
            st.lists(nested, max_size=size),
            st.dictionaries(names, nested, max_size=size),
        )
    return nested
