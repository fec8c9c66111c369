"""TC64x: encryption of a shared state."""

from __future__ import annotations

from reconciler.messages.entry import Entry, Message
from reconciler.model.codes import Code

_GENERATE = "openssl rand -base64 32"

KEYS = {
    Code.STATE_KEY_INVALID: Entry(
        title="Encryption key cannot be used",
        why="`TASKCTL_STATE_KEY`, `TASKCTL_STATE_PASSPHRASE` or `TASKCTL_STATE_OLD_KEYS` is set to"
        " something that is not a key. Continuing without it would store the state unencrypted.",
        fix="Set `TASKCTL_STATE_KEY` to 32 random bytes in base64 (`openssl rand -base64 32`), or"
        " `TASKCTL_STATE_PASSPHRASE` to at least 16 characters. To store the state without"
        " encryption, unset both.",
        cases={
            "empty": Message(
                "{name} is set but empty",
                "A missing secret must not lead to an unencrypted state. Set it, or unset the"
                " variable to work without encryption:",
                "unset {name:sh}",
            ),
            "both": Message(
                "{name} and {other} are both set",
                "The state is encrypted with one of them. Unset the other:",
                "unset {name:sh}",
            ),
            "current": Message(
                "{name} is set, but no current key",
                "Old keys only read. Set {key} to the key to encrypt with, or to `none` to store"
                " the state without encryption from now on.",
            ),
            "key": Message(
                "{name} is not a key: expected 32 bytes in base64, or `none`",
                "Generate a key, and store it where your CI system keeps secrets:",
                _GENERATE,
            ),
            "short": Message(
                "a passphrase in {name} is shorter than {least} characters",
                "Use a longer one, or a random key in TASKCTL_STATE_KEY:",
                _GENERATE,
            ),
            "extra": Message(
                "{name} is set, but encryption is not installed",
                "Install taskctl with the extra `encryption`.",
            ),
        },
    ),
    Code.STATE_KEY_WRONG: Entry(
        title="Encrypted with another key",
        why="The state is encrypted, and none of the keys of this run decrypts it. It was left"
        " untouched, because an unreadable state never counts as an empty one.",
        fix="Set `TASKCTL_STATE_KEY` or `TASKCTL_STATE_PASSPHRASE` to the key that the state was"
        " written with. After a rotation, list earlier keys in `TASKCTL_STATE_OLD_KEYS`, one per"
        " line.",
        cases={
            "": Message(
                "{file} is encrypted with another key (ID {id})",
                "It was left untouched. If the key was changed, list the earlier one in"
                " TASKCTL_STATE_OLD_KEYS, one per line.",
            ),
            "none": Message(
                "{file} is encrypted (key ID {id}), and no key is set",
                "It was left untouched. Set TASKCTL_STATE_KEY or TASKCTL_STATE_PASSPHRASE to the"
                " key that it was written with.",
            ),
        },
    ),
    Code.STATE_NOT_ENCRYPTED: Entry(
        title="State is not encrypted",
        why="A key is set, so the state has to be encrypted. One that is not may have been put"
        " there by somebody who does not have the key.",
        fix="If it is the state from before encryption was enabled, set"
        " `TASKCTL_STATE_OLD_KEYS=none` until the next apply has saved it.",
        cases={
            "": Message(
                "{file} is not encrypted, but a key is set",
                "It was left untouched. If this is the state from before encryption was enabled,"
                " allow reading it once; the next apply that saves encrypts it:",
                "TASKCTL_STATE_OLD_KEYS=none taskctl plan",
            )
        },
    ),
    Code.STATE_CIPHERTEXT: Entry(
        title="Encrypted state was changed",
        why="The key is right, but the content is not what was encrypted with it: it was damaged or"
        " replaced, or it belongs to another state.",
        fix="Restore an earlier version of the state from the storage, if it keeps versions.",
        cases={
            "": Message(
                "{file} cannot be decrypted: {name} was changed after it was encrypted",
                "It was left untouched. The key is right, so the content was damaged or replaced,"
                " or it belongs to another state. Restore an earlier version, if the storage keeps"
                " versions.",
            )
        },
    ),
}
