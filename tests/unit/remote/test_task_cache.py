"""The cache can be deleted, damaged or unwritable at any time, and contains no secret."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.app.survey import message_cache
from reconciler.model.service import FirstMessage, Identity
from reconciler.model.task import TaskId
from reconciler.model.typed_json import encode_json
from reconciler.model.value import replace
from reconciler.remote.cache import TaskCache
from reconciler.system.cache import UserCache
from tests.support.plan_values import ME, message, reference

BACKEND = "https://api.example.com"
TASK = TaskId("acme", "t")
TEXT = message("do it", reference("a"), [{"type": "stack", "name": "s"}])


def cache_in(
    folder: Path,
    backend: str = BACKEND,
    caller: Identity = ME,
    scrub: Callable[[str], str] = str,
) -> TaskCache[FirstMessage]:
    return message_cache(UserCache(folder), backend, caller, scrub)


def filled(folder: Path, backend: str = BACKEND) -> Path:
    cache = cache_in(folder, backend)
    cache.put(TASK, TEXT)
    cache.save()
    (path,) = folder.glob("first-messages-*.json")
    return path


def test_stored_values_are_read_back(tmp_path: Path) -> None:
    filled(tmp_path / "deep" / "er")
    kept = cache_in(tmp_path / "deep" / "er")
    assert kept.get(TASK) == TEXT
    assert kept.get(TaskId("acme", "u")) is None
    assert kept.get(TaskId("other", "t")) is None


@pytest.mark.parametrize("said", [TEXT, message("by a person"), message("", reference("b"))])
def test_a_message_keeps_its_reference(tmp_path: Path, said: FirstMessage) -> None:
    cache = cache_in(tmp_path)
    cache.put(TASK, said)
    cache.save()
    kept = cache_in(tmp_path).get(TASK)
    assert kept == said
    assert kept is not None
    assert kept.reference == said.reference


def test_the_oldest_values_are_dropped_from_a_large_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = 2 * (len("acme/t0") + len(encode_json(TEXT)))
    monkeypatch.setattr("reconciler.remote.cache._MAX_FILE", two)
    for number in range(3):
        cache = cache_in(tmp_path)
        cache.put(TaskId("acme", f"t{number}"), TEXT)
        cache.save()
    kept = cache_in(tmp_path)
    assert [kept.get(TaskId("acme", f"t{n}")) for n in range(3)] == [None, TEXT, TEXT]


def test_each_backend_and_each_caller_has_its_own_cache(tmp_path: Path) -> None:
    filled(tmp_path)
    renamed = replace(ME, login="a new login")
    assert cache_in(tmp_path, caller=renamed).get(TASK) == TEXT
    for other in ({"id": "u2"}, {"organization": "acme"}, {"team": "core"}):
        assert cache_in(tmp_path, caller=replace(ME, **other)).get(TASK) is None
    assert cache_in(tmp_path, "https://elsewhere.example.com").get(TASK) is None


def test_only_its_owner_may_read_the_cache(tmp_path: Path) -> None:
    assert filled(tmp_path).stat().st_mode & 0o777 == 0o600


def test_a_cache_without_changes_is_not_written(tmp_path: Path) -> None:
    cache = cache_in(tmp_path / "none")
    cache.get(TASK)
    cache.save()
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\0\0\0",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"version": 2, "entries": {"acme/t": {"text": "x"}}}',
        b'{"version": 1, "entries": []}',
        b'{"version": 1, "entries": {"acme/t": null}}',
        b'{"version": 1, "entries": {"acme/t": ["m", "x"]}}',
        b'{"version": 1, "entries": {"acme/t": {"mark": "m", "text": "x"}}}',
        b'{"version": 1, "entries": {"acme/t": {"text": 1}}}',
        b'{"version": 1, "entries": {"acme/t": {"text": "x", "entities": [1]}}}',
        b'{"version": 1, "entries": {"acme/t": {"text": "x", "reference": "a/1 babab"}}}',
        b'{"version": 1, "entries": {"acme/t": {"text": "x", "reference": ["a", 1]}}}',
        b'{"version": 1, "entries": {"acme/t": {"text": "x", "reference": ["a", "1", "b"]}}}',
        b'{"version": 1, "entries": {"acme/t": {"timestamp": "2026-11-24T12:00:00Z"}}}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_cache_is_ignored_and_replaced(tmp_path: Path, damage: bytes) -> None:
    path = filled(tmp_path)
    path.write_bytes(damage)
    assert cache_in(tmp_path).get(TASK) is None
    filled(tmp_path)
    assert cache_in(tmp_path).get(TASK) == TEXT


def test_valid_entries_next_to_invalid_ones_are_read(tmp_path: Path) -> None:
    path = filled(tmp_path)
    kept = json.loads(path.read_text())
    kept["entries"]["acme/broken"] = [1, 2, 3]
    path.write_text(json.dumps(kept))
    assert cache_in(tmp_path).get(TASK) == TEXT


def test_an_unwritable_cache_is_harmless(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = cache_in(tmp_path / "file")
    cache.put(TASK, TEXT)
    cache.save()
    assert cache.get(TASK) == TEXT
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_failed_write_keeps_the_old_cache_and_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = filled(tmp_path)
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    cache = cache_in(tmp_path)
    cache.put(TaskId("acme", "u"), TEXT)
    cache.save()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_lone_surrogate_is_not_cached(tmp_path: Path) -> None:
    """UTF-8 cannot represent it, and a message with another character could be no proof."""
    cache = cache_in(tmp_path)
    cache.put(TASK, message("half of \ud83d"))
    cache.put(TaskId("acme", "u"), TEXT)
    cache.save()
    assert cache_in(tmp_path).get(TASK) is None
    assert cache_in(tmp_path).get(TaskId("acme", "u")) == TEXT


def test_a_prompt_with_the_token_is_not_cached(tmp_path: Path) -> None:
    cache = cache_in(tmp_path, scrub=lambda text: text.replace("do it", "[secret]"))
    cache.put(TASK, TEXT)
    cache.save()
    assert not [
        path for path in tmp_path.rglob("first-messages-*") if b"do it" in path.read_bytes()
    ]
    assert cache.get(TASK) is None
