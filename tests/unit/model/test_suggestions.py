"""Names are compared with few others."""

from __future__ import annotations

from reconciler.model.suggestions import Suggestions


def test_ten_names_are_compared() -> None:
    suggestions = Suggestions()
    assert [suggestions.may_compare("a", ["b"]) for _ in range(11)] == [True] * 10 + [False]


def test_a_name_is_not_compared_with_very_many_characters() -> None:
    suggestions = Suggestions()
    for name, count, expected in (("x" * 10, 10_000, True), ("x" * 10, 10_001, False)):
        assert suggestions.may_compare(name, ["y" * 10] * count) is expected
    assert all(suggestions.may_compare("a", ["b"]) for _ in range(9))
