"""Names are compared with few others."""

from __future__ import annotations

from reconciler.model.similarity import SimilaritySearches


def test_ten_names_are_compared() -> None:
    searches = SimilaritySearches()
    assert [searches.may_compare("a", ["b"]) for _ in range(11)] == [True] * 10 + [False]


def test_a_name_is_not_compared_with_very_many_characters() -> None:
    searches = SimilaritySearches()
    for name, count, expected in (("x" * 10, 10_000, True), ("x" * 10, 10_001, False)):
        assert searches.may_compare(name, ["y" * 10] * count) is expected
    assert all(searches.may_compare("a", ["b"]) for _ in range(9))
