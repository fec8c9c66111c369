"""Data files as rows: every value as it is written, every error with its line."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifest.expand.product import (
    Combination,
    Matcher,
    combinations,
    default_names,
    matches,
)
from reconciler.manifest.expand.rows import Row, RowError, rows_of_file
from reconciler.manifest.parse.nodes import Node, read_nodes
from reconciler.manifest.parse.source import read_source
from reconciler.model import limits

LONG = "x" * (limits.NAME_CHARACTERS + 1)


def nodes(text: str) -> Node | None:
    return read_nodes(read_source(text.encode()).events())


def rows(name: str, text: str) -> list[tuple[object, int]]:
    return [(row.value, row.line) for row in rows_of_file(name, text, lambda: nodes(text))]


def test_csv() -> None:
    text = 'name, owner\nnetwork, platform \n\n"a ""b""","x,\ny"\nlast,\n'
    assert rows("d/stacks.csv", text) == [
        ({"name": "network", "owner": "platform"}, 2),
        ({"name": 'a "b"', "owner": "x,\ny"}, 4),
        ({"name": "last", "owner": ""}, 6),
    ]


def test_txt() -> None:
    assert rows("a.txt", "# stacks\n network \r\n\n1.10\n") == [("network", 2), ("1.10", 4)]


def test_yaml_and_json_values_are_text_as_written() -> None:
    written = [("1.10", 1), ("007", 2), ("on", 3), ("true", 4), ("x y", 5)]
    assert rows("a.yaml", "- 1.10\n- 007\n- on\n- true\n- 'x y'\n") == written
    assert rows("a.json", '[1.10,\n "007", true,\n 1e5, {"n": 1.50}]') == [
        *(("1.10", 1), ("007", 2), ("true", 2), ("1e5", 3)),
        ({"n": "1.50"}, 3),
    ]


@pytest.mark.parametrize(
    ("name", "text", "case", "line"),
    [
        ("a.csv", "", "noHeader", 1),
        ("a.csv", "a,a\n", "sameName", 1),
        ("a.csv", "a,,b\n", "noName", 1),
        ("a.csv", "a;b\n1;2\n", "separator", 1),
        ("a.csv", "a\tb\n1\t2\n", "separator", 1),
        ("a.csv", "a,b\n1,2\n3\n", "ragged", 3),
        ("a.csv", "a,b\n1,2,3\n", "ragged", 2),
        ("a.csv", 'a\n"x\n', "csv", 2),
        ("a.csv", 'a\n"x"y\n', "csv", 2),
        ("a.csv", "a\nx\x07\n", "control", 2),
        ("a.txt", "x\n\x1b[2J\n", "control", 2),
        ("a.yaml", "a: 1\n", "notAList", 1),
        ("a.yaml", "", "notAList", 1),
        ("a.yaml", "- a\n- null\n", "null", 2),
        ("a.yaml", "- a\n- ~\n", "null", 2),
        ("a.yaml", "- a: [1]\n", "nested", 1),
        ("a.yaml", "- [1]\n", "nested", 1),
        ("a.json", "{}", "notAList", 1),
        ("a.json", "[1,\n null]", "null", 2),
        ("a.json", '[1,\n {"a": {}}]', "nested", 2),
        ("a.csv", f"\n{LONG},b\n1,2\n", "longName", 2),
        ("a.yaml", f"- a\n- b: x\n  {LONG}: y\n", "longName", 3),
        ("a.json", f'[\n{{"a": "x", "{LONG}": "y"}}]', "longName", 2),
        ("a.toml", "", "ending", 1),
    ],
)
def test_invalid_data_files_are_reported(name: str, text: str, case: str, line: int) -> None:
    with pytest.raises(RowError) as caught:
        rows(name, text)
    assert (caught.value.case, caught.value.line) == (case, line)


values = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map(str.strip)


@given(st.lists(st.tuples(values.filter(bool), values), max_size=8))
def test_csv_written_by_a_library_is_read_back(written: list[tuple[str, str]]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([("name", "owner"), *written])
    found = [row.value for row in rows_of_file("a.csv", text.getvalue(), lambda: None)]
    assert found == [{"name": name, "owner": owner} for name, owner in written]


# YAML permits 1,024 characters; `json` writes twelve for an emoji.
names = st.text(max_size=1_000 // 12)


@given(st.lists(st.dictionaries(names, st.text(), max_size=3) | st.text(), max_size=6))
def test_json_written_by_a_library_is_read_back(written: list[object]) -> None:
    text = json.dumps(written, indent=1)
    assert [value for value, _ in rows("a.json", text)] == written


AXES = {
    "stack": [Row({"name": "network", "tier": "1"}, 1), Row({"name": "data", "tier": "2"}, 2)],
    "region": [Row("eu", 1), Row("us", 1)],
}


def key_of(combination: Combination) -> str:
    values = combination.values
    return "-".join(str(values[name]) for name in default_names(AXES, values))


def test_the_product_is_in_the_order_written() -> None:
    keys = [key_of(combination) for combination in combinations(AXES)]
    assert keys == ["network-eu", "network-us", "data-eu", "data-us"]


def test_matchers_compare_only_the_values_they_name() -> None:
    matchers = [
        Matcher({"stack.tier": "2", "region": "us"}, 1),
        Matcher({"stack.name": "network"}, 2),
        Matcher({"stack": "network"}, 3),  # `stack` is a mapping: it has no text
    ]
    among = list(combinations(AXES))
    positions, unused = matches(matchers, among)
    assert [key_of(among[at]) for at in sorted(positions)] == [
        "network-eu",
        "network-us",
        "data-us",
    ]
    assert unused == [3]


def test_templates_may_use_axes_and_columns() -> None:
    assert next(combinations(AXES)).values == {
        "stack": None,
        "stack.name": "network",
        "stack.tier": "1",
        "region": "eu",
    }
