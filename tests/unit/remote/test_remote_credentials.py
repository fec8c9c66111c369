from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from reconciler.messages import word
from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError
from reconciler.remote.addresses import Backend
from reconciler.remote.credentials import resolve_backend, resolve_org, resolve_token
from tests.support.client_tools import cause
from tests.support.diagnostics import raises_with

CLOUD = Backend("https://api.pulumi.com", "the default")
OWN = "https://pulumi.acme.test"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def write(folder: Path, name: str, data: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def credentials(home: Path, data: Any) -> Path:
    return write(home / ".pulumi", "credentials.json", data)


def test_the_backend_is_chosen_in_order(home: Path) -> None:
    path = credentials(home, {"current": "https://d.test/"})
    env = {"TASKCTL_BACKEND": "https://b.test", "PULUMI_BACKEND_URL": "https://c.test"}
    assert resolve_backend("https://a.test", env, home) == Backend("https://a.test", "--backend")
    assert resolve_backend(None, env, home) == Backend("https://b.test", "TASKCTL_BACKEND")
    del env["TASKCTL_BACKEND"]
    assert resolve_backend(None, env, home) == Backend("https://c.test", "PULUMI_BACKEND_URL")
    assert resolve_backend("", {"TASKCTL_BACKEND": " "}, home) == Backend(
        "https://d.test", f"current in {path}"
    )
    path.unlink()
    assert resolve_backend(None, {}, home) == CLOUD


@pytest.mark.parametrize("url", ["s3://bucket/x", "file://~", "azblob://c", "gs://b"])
def test_a_state_backend_is_skipped_with_a_note(url: str, home: Path) -> None:
    path = credentials(home, {"current": url})
    backend = resolve_backend(None, {"PULUMI_BACKEND_URL": url}, home)
    assert backend.name == CLOUD.name
    scheme = url.partition(":")[0]
    assert {(note.code, note.case) for note in backend.notes} == {
        (Code.PULUMI_SETTING_SKIPPED, "state-only")
    }
    assert [note.args for note in backend.notes] == [
        {"source": "PULUMI_BACKEND_URL", "scheme": scheme},
        {"source": f"current in {path}", "scheme": scheme},
    ]


def test_settings_of_pulumi_cannot_select_the_embedded_service(home: Path) -> None:
    with raises_with(TaskctlError, "PULUMI_BACKEND_URL") as caught:
        resolve_backend(None, {"PULUMI_BACKEND_URL": "local"}, home)
    assert cause(caught) == (Code.INVALID_BACKEND, "")
    assert resolve_backend(None, {"TASKCTL_BACKEND": "local"}, home).is_local


def test_the_pulumi_folder_is_configurable(home: Path, tmp_path: Path) -> None:
    credentials(home, {"current": "https://home.test"})
    write(tmp_path / "p", "credentials.json", {"current": "https://p.test"})
    write(tmp_path / "c", "credentials.json", {"current": "https://c.test"})
    env = {"PULUMI_HOME": str(tmp_path / "p")}
    assert resolve_backend(None, env, home).name == "https://p.test"
    env["PULUMI_CREDENTIALS_PATH"] = str(tmp_path / "c")
    assert resolve_backend(None, env, home).name == "https://c.test"
    assert resolve_backend(None, {}, home).name == "https://home.test"


def test_the_token_is_chosen_in_order(home: Path) -> None:
    path = credentials(home, {"accessTokens": {"https://API.pulumi.com/": "pul-file"}})
    token = resolve_token(CLOUD, {"PULUMI_ACCESS_TOKEN": " pul-env\n"}, home)
    assert (token.value, token.source) == ("pul-env", "PULUMI_ACCESS_TOKEN")
    token = resolve_token(CLOUD, {"PULUMI_ACCESS_TOKEN": ""}, home)
    assert (token.value, token.source) == ("pul-file", str(path))
    assert "pul-file" not in repr(token)


def test_the_token_of_an_account_is_used(home: Path) -> None:
    accounts = {OWN: {"accessToken": "pul-account"}, CLOUD.name: {"accessToken": "pul-cloud"}}
    credentials(home, {"current": OWN, "accounts": accounts})
    assert resolve_token(Backend(OWN, ""), {}, home).value == "pul-account"
    assert resolve_token(CLOUD, {}, home).value == "pul-cloud"


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"accessTokens": {OWN: "pul-other"}},
        {"accessTokens": None, "accounts": []},
        {"accounts": {CLOUD.name: {"accessToken": ""}}},
        {"accounts": {CLOUD.name: "odd"}},
        {"accessTokens": {"not a url": "pul-x"}},
    ],
)
def test_a_missing_token_names_both_remedies(data: Any, home: Path) -> None:
    if data is not None:
        credentials(home, data)
    with raises_with(TaskctlError, re.escape(CLOUD.name)) as caught:
        resolve_token(CLOUD, {}, home)
    assert cause(caught) == (Code.MISSING_CREDENTIALS, "")
    message = "\n".join(word(caught.value.diagnostics[0]))
    for remedy in ("PULUMI_ACCESS_TOKEN", "--backend local", "pulumi login"):
        assert remedy in message


@pytest.mark.parametrize(
    "data",
    [
        {"$pulumiSecureStore": 1, "backend": "keychain", "data": "c2VjcmV0"},
        {"accessTokens": {CLOUD.name: {"$pulumiSecureStore": 1, "data": "c2VjcmV0"}}},
        {"accounts": {CLOUD.name: {"accessToken": "$pulumiSecureStore:c2VjcmV0"}}},
    ],
)
def test_an_encrypted_token_points_to_the_variable(data: Any, home: Path) -> None:
    credentials(home, data)
    with pytest.raises(TaskctlError) as caught:
        resolve_token(CLOUD, {}, home)
    assert cause(caught) == (Code.MISSING_CREDENTIALS, "encrypted")
    assert "c2VjcmV0" not in str(caught.value.diagnostics)
    assert resolve_token(CLOUD, {"PULUMI_ACCESS_TOKEN": "pul-env"}, home).value == "pul-env"


def test_an_encrypted_file_gives_the_default_backend_with_a_note(home: Path) -> None:
    credentials(home, {"$pulumiSecureStore": 1, "data": "c2VjcmV0"})
    backend = resolve_backend(None, {}, home)
    assert backend.name == CLOUD.name
    assert [note.case for note in backend.notes] == ["encrypted"]


@pytest.mark.parametrize("text", ["{", "", "[]", "null", "\xff", '"x"', "[" * 100_000])
def test_a_broken_file_is_an_error_that_names_it(text: str, home: Path) -> None:
    path = credentials(home, text)
    for resolve in (
        lambda: resolve_backend(None, {}, home),
        lambda: resolve_token(CLOUD, {}, home),
    ):
        with raises_with(TaskctlError, str(path)) as caught:
            resolve()
        assert cause(caught)[0] is Code.PULUMI_FILE
    assert resolve_token(CLOUD, {"PULUMI_ACCESS_TOKEN": "pul-env"}, home).value == "pul-env"
    assert resolve_backend("https://a.test", {}, home).name == "https://a.test"


def test_an_unreadable_file_is_an_error(home: Path) -> None:
    (home / ".pulumi" / "credentials.json").mkdir(parents=True)
    with pytest.raises(TaskctlError) as caught:
        resolve_token(CLOUD, {}, home)
    assert cause(caught) == (Code.PULUMI_FILE, "unreadable")


def test_the_embedded_service_never_sees_a_real_token(home: Path) -> None:
    env = {"PULUMI_ACCESS_TOKEN": "pul-real"}
    assert resolve_token(Backend("local", ""), env, home).value == "local"
    env["TASKCTL_LOCAL_TOKEN"] = "somebody-else"
    assert resolve_token(Backend("local:b.db", ""), env, home).value == "somebody-else"


def test_the_organization_is_chosen_in_order(home: Path) -> None:
    config = {"backends": {CLOUD.name: {"defaultOrg": "file"}, OWN: {"defaultOrg": "own"}}}
    path = write(home / ".pulumi", "config.json", config)
    env = {"TASKCTL_ORG": "env", "PULUMI_DEFAULT_ORGANIZATION": "pulumi"}
    seen = []
    for option, names in (
        ("opt", env),
        (None, env),
        (None, {"PULUMI_DEFAULT_ORGANIZATION": "pulumi"}),
        (None, {}),
    ):
        resolved = resolve_org(option, names, home, CLOUD, lambda: "asked")
        assert resolved is not None
        seen.append((resolved.value, resolved.source))
    assert seen == [
        ("opt", "--org"),
        ("env", "TASKCTL_ORG"),
        ("pulumi", "PULUMI_DEFAULT_ORGANIZATION"),
        ("file", f"defaultOrg in {path}"),
    ]
    own = resolve_org(None, {}, home, Backend(OWN, ""))
    assert own is not None
    assert own.value == "own"


def test_the_service_is_asked_for_the_organization_last(home: Path) -> None:
    resolved = resolve_org(None, {}, home, CLOUD, lambda: "asked")
    assert resolved is not None
    assert resolved.value == "asked"
    assert resolved.source == "the default organization at https://api.pulumi.com"
    assert list(resolved.trace[:3]) == [
        "--org",
        "TASKCTL_ORG",
        "PULUMI_DEFAULT_ORGANIZATION",
    ]
    assert resolve_org(None, {}, home, CLOUD, lambda: None) is None
    assert resolve_org(None, {}, home, CLOUD) is None


def test_a_broken_config_is_an_error_only_if_needed(home: Path) -> None:
    path = write(home / ".pulumi", "config.json", "{")
    assert resolve_org("opt", {}, home, CLOUD) is not None
    assert resolve_org(None, {}, home, Backend("local", ""), lambda: "demo") is not None
    with raises_with(TaskctlError, str(path)):
        resolve_org(None, {}, home, CLOUD)
