"""The memory for what is kept of responses."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.kept import at_most, size_of

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=60
)


@given(st.dictionaries(st.text(), _VALUES))
def test_no_value_is_larger_than_its_estimate(value: dict[str, object]) -> None:
    assert size_of(value) <= at_most(value)
