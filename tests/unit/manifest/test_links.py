"""Links are resolved as by the system, up to a limit."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifest.links import Resolver

NAMES = ["a", "b", "c", "."]
PATHS = st.lists(st.sampled_from([*NAMES, ".."]), min_size=1, max_size=4).map("/".join)


@given(st.dictionaries(PATHS, st.none() | PATHS, max_size=8), st.lists(PATHS, max_size=8))
def test_links_are_resolved_as_by_the_system(
    files: dict[str, str | None], given_paths: list[str]
) -> None:
    """`files` are the targets of links, or None for a directory."""
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder).resolve()
        home = top / "x/y/z/home"
        home.mkdir(parents=True)
        for path, target in files.items():
            place = home / path
            if os.path.lexists(place) or not place.parent.is_dir():
                continue
            if target is None:
                place.mkdir()
            else:
                place.symlink_to(target)
        resolver = Resolver()
        for path in (*given_paths, *given_paths):
            found = resolver.resolve(home, path)
            assert found.is_cut_off or Path(found.path) == Path(os.path.realpath(home / path))
