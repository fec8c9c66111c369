"""The order of keys that people read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.task import TaskRef, natural

numbers = st.integers(0, 10**30)
keys = st.text(st.sampled_from("ab.-_@0129"), min_size=1, max_size=12)


@given(keys, numbers, numbers, keys)
def test_numbers_in_keys_are_compared_as_numbers(
    before: str, one: int, other: int, after: str
) -> None:
    refs = [TaskRef("acme", f"{before}x{number}x{after}") for number in (one, other)]
    assert (natural(refs[0]) < natural(refs[1])) == (one < other)


@given(st.lists(st.builds(TaskRef, st.sampled_from(["a", "b"]), keys), unique=True))
def test_the_order_groups_organizations_and_has_no_ties(refs: list[TaskRef]) -> None:
    ordered = sorted(refs, key=natural)
    assert [ref.org_name for ref in ordered] == sorted(ref.org_name for ref in refs)
    assert len(set(map(natural, refs))) == len(refs)
