"""Encryption at rest: what can be decrypted, and what is rejected."""

from __future__ import annotations

import base64
import importlib.util
import os
import sys
from itertools import pairwise
from mmap import PAGESIZE

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from reconciler.messages import plain_text
from reconciler.model.codes import Code
from reconciler.model.diagnostics import StateError
from reconciler.state import encryption
from reconciler.state.encryption import MAGIC, Cipher, KeyRing
from reconciler.system import memory
from tests.support.state_engines import Parts

KEY, OLDER = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
PHRASE, OTHER = "correct horse battery staple", "an entirely different one"
STRETCHED = dict(encryption.SCRYPT)
LINEAGE = "7d0c1f6d2b6e4b0f8f7e6a5b4c3d2e1f"


@pytest.fixture(autouse=True)
def _quick_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(encryption.SCRYPT, "n", 2)


def cipher(lineage: str = LINEAGE, **env: str) -> Cipher:
    named = {f"TASKCTL_STATE_{name.upper()}": text for name, text in env.items()}
    return Cipher(KeyRing.of(named), lineage, "git:origin")


def refusal(caught: pytest.ExceptionInfo[StateError]) -> tuple[Code, str]:
    (said,) = caught.value.diagnostics
    text = plain_text(said)
    for secret in (KEY, OLDER, PHRASE, OTHER):
        assert secret not in text
    return said.code, said.case


@given(st.binary(max_size=200))
def test_encrypted_data_is_decrypted_and_not_visible(data: bytes) -> None:
    one = cipher(key=KEY)
    sealed = one.seal("base", data)
    assert cipher(key=KEY).unseal("base", sealed) == data
    assert sealed != one.seal("base", data)
    assert len(data) < 8 or data not in sealed[len(MAGIC) :]


@pytest.mark.parametrize("cuts", [(), (1,), (16, 70, 99), (50, 50)])
def test_a_blob_in_parts_is_encrypted_as_a_whole_and_decrypted(cuts: tuple[int, ...]) -> None:
    """As AES-GCM in one call does, which wrote the states of earlier versions."""
    one, data = cipher(key=KEY), os.urandom(100)
    blob = one.sealed("base", Parts(data[start:end] for start, end in pairwise((0, *cuts, 100))))
    sealed = b"".join(blob)
    assert (b"".join(blob), blob.size) == (sealed, len(sealed))  # the same if it is sent again
    start = len(MAGIC) + 8
    nonce, label = sealed[start : start + 12], b"\0".join((MAGIC, LINEAGE.encode(), b"base", b""))
    whole = AESGCM(base64.b64decode(KEY)).encrypt(nonce, data, label)
    assert sealed == sealed[: start + 12] + whole
    assert one.unseal("base", sealed) == data


@pytest.mark.parametrize("size", [1, 16, 10 * PAGESIZE])
def test_a_long_text_is_given_back_while_it_is_decrypted(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    one, data = cipher(key=KEY), os.urandom(size)
    sealed = one.seal("base", data)
    damaged = sealed[:-20] + bytes([sealed[-20] ^ 1]) + sealed[-19:]
    monkeypatch.setattr(memory, "_OWN_PAGES", 1)
    monkeypatch.setattr(encryption, "LARGE", 5_000)
    text = memory.whole([sealed], len(sealed))
    assert one.is_current(text)
    assert one.unseal("base", text)[:] == data
    if sys.platform == "linux":
        given_back = size // PAGESIZE * PAGESIZE
        assert text[:given_back] == bytes(given_back)
    with pytest.raises(StateError) as caught:
        one.unseal("base", memory.whole([damaged], len(damaged)))
    assert refusal(caught) == (Code.STATE_CIPHERTEXT, "")


def test_a_passphrase_takes_long_to_guess() -> None:
    """The other tests lower this."""
    assert STRETCHED == {"n": 2**15, "r": 8, "p": 3}


def test_a_passphrase_encrypts_with_a_key_per_state() -> None:
    sealed = cipher(passphrase=PHRASE).seal("base", b"secret")
    again = cipher(passphrase=f"  {PHRASE}\n")  # as a file gives it
    assert again.unseal("base", sealed) == b"secret"
    other_state = cipher(lineage="f" * 32, passphrase=PHRASE)
    with pytest.raises(StateError) as caught:
        other_state.unseal("base", sealed)
    assert refusal(caught) == (Code.STATE_KEY_WRONG, "")  # each state has a key of its own


@pytest.mark.parametrize(
    ("name", "lineage"), [("other", LINEAGE), ("base", "f" * 32)], ids=["name", "lineage"]
)
def test_a_blob_of_another_name_or_lineage_is_rejected(name: str, lineage: str) -> None:
    sealed = cipher(key=KEY).seal("base", b"secret")
    with pytest.raises(StateError) as caught:
        cipher(lineage, key=KEY).unseal(name, sealed)
    assert refusal(caught) == (Code.STATE_CIPHERTEXT, "")


def test_any_changed_or_truncated_byte_is_detected() -> None:
    one = cipher(key=KEY)
    sealed = one.seal("base", b"the state")
    for at in range(len(sealed)):
        changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        for damaged in (changed, sealed[:at]):
            with pytest.raises(StateError):
                one.unseal("base", damaged)


def test_a_wrong_or_missing_key_is_an_error() -> None:
    sealed = cipher(key=KEY).seal("base", b"secret")
    for other, case in (
        (cipher(key=OLDER), ""),
        (cipher(passphrase=PHRASE), ""),
        (cipher(), "none"),
    ):
        with pytest.raises(StateError) as caught:
            other.unseal("base", sealed)
        assert refusal(caught) == (Code.STATE_KEY_WRONG, case)


def test_old_keys_decrypt_and_the_current_key_encrypts() -> None:
    first = cipher(key=OLDER).seal("base", b"1")
    second = cipher(passphrase=OTHER).seal("base", b"2")
    now = cipher(passphrase=PHRASE, old_keys=f"{OLDER}\n\n{OTHER}\n")
    assert [now.unseal("base", sealed) for sealed in (first, second)] == [b"1", b"2"]
    assert not now.is_current(first)
    newest = now.seal("base", b"3")
    assert now.is_current(newest)
    assert cipher(passphrase=PHRASE).unseal("base", newest) == b"3"


def test_an_old_passphrase_may_look_like_a_key() -> None:
    sealed = cipher(passphrase=KEY).seal("base", b"1")
    assert cipher(key=OLDER, old_keys=KEY).unseal("base", sealed) == b"1"


def test_with_a_key_an_unencrypted_state_is_rejected() -> None:
    for enforcing in (cipher(key=KEY), cipher(key=KEY, old_keys=OLDER)):
        with pytest.raises(StateError) as caught:
            enforcing.unseal("base", b'{"version": 1}')
        assert refusal(caught) == (Code.STATE_NOT_ENCRYPTED, "")
    beginning = cipher(key=KEY, old_keys="none")
    assert beginning.unseal("base", b"{}") == b"{}"
    assert not beginning.is_current(b"{}")
    assert beginning.seal("base", b"{}") != b"{}"


def test_without_a_key_nothing_is_encrypted_and_none_decrypts() -> None:
    plain = cipher()
    assert plain.seal("base", b"{}") == plain.unseal("base", b"{}") == b"{}"
    assert plain.is_current(b"{}")
    sealed = cipher(key=KEY).seal("base", b"1")
    ending = cipher(key="none", old_keys=KEY)
    assert ending.unseal("base", sealed) == b"1"
    assert not ending.is_current(sealed)
    assert ending.seal("base", b"1") == b"1"


def test_a_newer_encryption_format_is_rejected() -> None:
    with pytest.raises(StateError) as caught:
        cipher(key=KEY).unseal("base", MAGIC[:-1] + b"\x02" + os.urandom(64))
    assert refusal(caught)[0] == Code.STATE_VERSION


@pytest.mark.parametrize(
    ("env", "case"),
    [
        ({"key": ""}, "empty"),
        ({"passphrase": "  \n"}, "empty"),
        ({"old_keys": "", "key": KEY}, "empty"),
        ({"key": KEY, "passphrase": PHRASE}, "both"),
        ({"old_keys": OLDER}, "current"),
        ({"key": "not base64!"}, "key"),
        ({"key": base64.b64encode(b"short").decode()}, "key"),
        ({"passphrase": "too short"}, "short"),
        ({"key": KEY, "old_keys": "too short"}, "short"),
    ],
)
def test_an_invalid_key_variable_is_an_error(env: dict[str, str], case: str) -> None:
    with pytest.raises(StateError) as caught:
        cipher(**env)
    assert refusal(caught) == (Code.STATE_KEY_INVALID, case)


def test_without_the_library_a_key_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.state.encryption.find_spec", lambda _: None)
    with pytest.raises(StateError) as caught:
        cipher(key=KEY)
    assert refusal(caught) == (Code.STATE_KEY_INVALID, "extra")
    assert not KeyRing.of({})
    assert importlib.util.find_spec("cryptography")


def test_no_repr_contains_a_key() -> None:
    ring = KeyRing.of({"TASKCTL_STATE_PASSPHRASE": PHRASE})
    assert PHRASE not in repr(ring)
