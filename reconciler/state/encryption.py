"""Encryption at rest of a shared state: AES-256-GCM, with keys from the environment.

The state and its journal are encrypted blob by blob. Lineage and name are authenticated with each
blob, so no blob can be passed off as another, or as part of another state. The other fields of the
head (serial, epoch, holder of the lock, the names of blobs) stay readable, and are authenticated
with its journal entries. What remains possible is to restore an older state as a whole.

    MAGIC | key id (8 bytes) | nonce (12 bytes) | ciphertext and tag
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING

from reconciler.model.codes import Code
from reconciler.model.diagnostics import NOWHERE, StateError
from reconciler.state.engines import LARGE, Blob
from reconciler.system.memory import give_back, whole

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from reconciler.system.memory import Text

KEY = "TASKCTL_STATE_KEY"
PASSPHRASE = "TASKCTL_STATE_PASSPHRASE"  # noqa: S105 - the name of a variable
OLD_KEYS = "TASKCTL_STATE_OLD_KEYS"
VARIABLES = (KEY, PASSPHRASE, OLD_KEYS)

PLAIN = "none"
"""Stands for no key. As the current key: write plain text. As an old key: read plain text."""

MAGIC = b"taskctl-encrypted\x00\x01"
_FAMILY = MAGIC[:-1]
_KEY_BYTES, _ID_BYTES, _NONCE_BYTES, _TAG_BYTES = 32, 8, 12, 16
_SHORTEST = 16
SCRYPT = {"n": 2**15, "r": 8, "p": 3}
"""32 MiB and about a third of a second, once per run."""

_Key = Callable[[str], bytes]
"""Derives 32 bytes from the lineage: a raw key ignores it, a passphrase is salted with it."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """`current` is the key for encryption (None: no encryption); `old` keys are also tried for
    reading. With `reads_plain`, an unencrypted state may be read."""

    current: _Key | None = field(default=None, repr=False)
    old: tuple[_Key, ...] = field(default=(), repr=False)
    reads_plain: bool = True

    @classmethod
    def of(cls, env: Mapping[str, str]) -> KeyRing:
        """The keys in the environment. Raises StateError for an invalid variable: a missing secret
        must not lead to an unencrypted state."""
        given = {name: env[name].strip() for name in VARIABLES if name in env}
        if empty := next((name for name, text in given.items() if not text), None):
            raise _invalid("empty", empty)
        if KEY in given and PASSPHRASE in given:
            raise _invalid("both", PASSPHRASE, other=KEY)
        if given.keys() == {OLD_KEYS}:
            raise _invalid("current", OLD_KEYS, key=KEY)
        if given and find_spec("cryptography") is None:
            raise _invalid("extra", next(iter(given)))
        old = [line.strip() for line in given.get(OLD_KEYS, "").splitlines() if line.strip()]
        keys = tuple(key for line in old if line != PLAIN for key in _old_keys(line))
        current = _current(given)
        return cls(current, keys, PLAIN in old or current is None)

    def __bool__(self) -> bool:
        """Whether there is any key."""
        return self.current is not None or bool(self.old)


class Cipher:
    """Encrypts and decrypts the blobs of one state. Thread-safe."""

    def __init__(self, ring: KeyRing, lineage: str, display_name: str) -> None:
        """`display_name` is the state's name in messages."""
        self._ring, self._lineage, self._display_name = ring, lineage, display_name
        self._guard = threading.Lock()
        self._current = ring.current(lineage) if ring.current is not None else None
        self._ids = {_id_of(key): key for key in (self._current,) if key is not None}
        self._old = iter(ring.old)

    def seal(self, name: str, data: bytes, context: bytes = b"") -> bytes:
        """The stored form of the blob `name`; different each time, so keep it for a resend. It can
        be decrypted only with the same `context`, which is not secret."""
        if self._current is None:
            return data
        nonce = os.urandom(_NONCE_BYTES)
        made: bytes = _aes(self._current).encrypt(nonce, data, self._label(name, context))
        return MAGIC + _id_of(self._current) + nonce + made

    def sealed(self, name: str, blob: Blob) -> Blob:
        """The same of a blob, in parts."""
        if self._current is None:
            return blob
        return _Sealed(self._current, self._label(name, b""), blob)

    def unseal(self, name: str, data: Text, context: bytes = b"") -> Text:
        """The inverse of both. Raises StateError for anything else: a wrong key never counts as
        an absent state."""
        start = data[: len(MAGIC)]
        if not start.startswith(_FAMILY):
            if not self._ring.reads_plain:
                raise self._refused(Code.STATE_NOT_ENCRYPTED)
            return data
        if start not in (MAGIC, _FAMILY):
            raise self._refused(Code.STATE_VERSION, format=start[-1], known=MAGIC[-1])
        key_id = data[len(MAGIC) : len(MAGIC) + _ID_BYTES]
        key = self._key(key_id)
        if key is None:
            case = "" if self._ring else "none"
            raise self._refused(Code.STATE_KEY_WRONG, case, id=key_id.hex())
        from cryptography.exceptions import InvalidTag

        try:
            return _decrypted(key, data, self._label(name, context))
        except (InvalidTag, ValueError):  # ValueError: truncated within the nonce or the tag
            raise self._refused(Code.STATE_CIPHERTEXT, name=name) from None

    def is_current(self, data: Text) -> bool:
        """Whether stored data is encrypted with the current key, or plain if there is none."""
        if self._current is None:
            return data[: len(_FAMILY)] != _FAMILY
        start = MAGIC + _id_of(self._current)
        return data[: len(start)] == start

    def _label(self, name: str, context: bytes) -> bytes:
        return b"\0".join((MAGIC, self._lineage.encode(), name.encode(), context))

    def _key(self, key_id: bytes) -> bytes | None:
        """Derives old keys lazily, in order, until the ID matches."""
        with self._guard:
            while key_id not in self._ids and (derive := next(self._old, None)) is not None:
                key = derive(self._lineage)
                self._ids[_id_of(key)] = key
            return self._ids.get(key_id)

    def _refused(self, code: Code, case: str = "", /, **facts: str | int) -> StateError:
        return StateError.of(code, case, at=NOWHERE, file=self._display_name, **facts)


def _id_of(key: bytes) -> bytes:
    """Identifies a key without revealing anything about it."""
    return hashlib.sha256(b"taskctl key id\0" + key).digest()[:_ID_BYTES]


class _Sealed:
    """What `seal` makes of a blob, in parts: the same ones each time, as those of the blob are. The
    nonce is chosen once, so nothing else may be encrypted with it."""

    def __init__(self, key: bytes, label: bytes, blob: Blob) -> None:
        self._key, self._label, self._blob = key, label, blob
        self._start = MAGIC + _id_of(key) + os.urandom(_NONCE_BYTES)
        self.size = len(self._start) + blob.size + _TAG_BYTES

    def __iter__(self) -> Iterator[bytes]:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        mode = modes.GCM(self._start[-_NONCE_BYTES:])
        encryptor = Cipher(algorithms.AES(self._key), mode).encryptor()
        encryptor.authenticate_additional_data(self._label)
        yield self._start
        yield from map(encryptor.update, self._blob)
        yield encryptor.finalize() + encryptor.tag


def _decrypted(key: bytes, data: Text, label: bytes) -> Text:
    """What was encrypted, without keeping both. Raises InvalidTag or ValueError."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    start = len(MAGIC) + _ID_BYTES + _NONCE_BYTES
    end = max(start, len(data) - _TAG_BYTES)
    nonce, tag = data[start - _NONCE_BYTES : start], data[end:]
    decryptor = Cipher(algorithms.AES(key), modes.GCM(nonce, tag)).decryptor()
    decryptor.authenticate_additional_data(label)

    def parts() -> Iterator[bytes]:
        for index in range(start, end, LARGE):
            after = min(index + LARGE, end)
            yield decryptor.update(data[index:after])
            give_back(data, after)

    text = whole(parts(), end - start)
    decryptor.finalize()
    return text


def _aes(key: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def _current(given: Mapping[str, str]) -> _Key | None:
    if PASSPHRASE in given:
        return _derived(PASSPHRASE, given[PASSPHRASE])
    if given.get(KEY, PLAIN) == PLAIN:
        return None
    key = _raw(given[KEY])
    if key is None:
        raise _invalid("key", KEY)
    return key


def _raw(text: str) -> _Key | None:
    """A key of 32 bytes in base64; None for any other text."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return (lambda _: key) if len(key) == _KEY_BYTES else None


def _derived(variable: str, text: str) -> _Key:
    if len(text) < _SHORTEST:
        raise _invalid("short", variable, least=_SHORTEST)

    def derive(lineage: str) -> bytes:
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

        # A salt must be unique, and the lineage of a state is random.
        salt = b"taskctl state\0" + lineage.encode()
        key: bytes = Scrypt(salt=salt, length=_KEY_BYTES, **SCRYPT).derive(text.encode())
        return key

    return derive


def _old_keys(line: str) -> Iterator[_Key]:
    """The possible keys of a line: a passphrase, and before it a raw key if it has that form."""
    key = _raw(line)
    if key is not None:
        yield key
    yield _derived(OLD_KEYS, line)


def _invalid(case: str, name: str, **facts: str | int) -> StateError:
    return StateError.of(Code.STATE_KEY_INVALID, case, at=NOWHERE, name=name, **facts)
