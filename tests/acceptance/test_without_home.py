"""A user without a name and without HOME, as in a container that runs as any user ID."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import NoReturn
from unittest.mock import patch

import pytest

from tests.support.called import call

MANIFEST = "version: 1\norgName: acme\ntasks:\n  a: {message: Do it.}\n"
SERVICE = ("--backend", "https://api.example.com")


def _unknown(_: int) -> NoReturn:
    raise KeyError("uid not found")


def without_home(folder: Path, *words: str, **env: str) -> tuple[int, str, str]:
    with patch.object(pwd, "getpwuid", _unknown):
        return call(words, folder, {"PATH": os.environ["PATH"], **env})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.tasks.yaml").write_text(MANIFEST, encoding="utf-8")
    return tmp_path


def test_plan_and_apply_work(folder: Path) -> None:
    code, out, _ = without_home(folder, "apply", "--yes", "--backend", "local", "--format", "json")
    assert (code, json.loads(out)["summary"]["created"]) == (0, 1)


def test_the_state_of_another_backend_is_listed(folder: Path) -> None:
    code, _, err = without_home(folder, "state", "list", *SERVICE)
    assert (code, "internal" in err) == (0, False), err


def test_a_missing_token_is_named(folder: Path) -> None:
    code, _, err = without_home(folder, "plan", *SERVICE)
    assert code == 1
    assert "PULUMI_ACCESS_TOKEN" in err
    code, out, err = without_home(folder, "doctor", *SERVICE)
    assert (code, "internal" in err) == (1, False)
    assert "PULUMI_ACCESS_TOKEN" in out + err
