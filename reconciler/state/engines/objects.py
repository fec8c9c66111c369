"""A state in object storage: S3 and compatible services, Google Cloud Storage, Azure Blob.

The head is one object, replaced by conditional writes; blobs are stored next to it. The client
never retries a write. After an error, reading the head shows whether the write took effect.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from reconciler.model import limits
from reconciler.model.hosts import is_loopback
from reconciler.state.engines import (
    BlobRoom,
    Cause,
    Denied,
    EngineError,
    Missing,
    Moved,
    Pace,
    Unconditional,
    Unsure,
    Version,
    check_size,
)

if TYPE_CHECKING:
    from obstore.store import ObjectStore

TIMEOUT = timedelta(seconds=30)
"""Per request; afterwards, the outcome of a write is unknown."""

HEAD = "head"


class ObjectEngine:
    """The Engine of one prefix in one bucket. `store` is rooted at the prefix."""

    deletes_with_swap = False
    about = ""

    def __init__(self, store: ObjectStore, display_name: str, pace: Pace) -> None:
        self._store = store
        self.display_name = display_name
        self.pace = pace
        self._was_reached = False

    def read(self) -> tuple[bytes, Version] | None:
        with self._faults(), _absent():
            found = self._store.get(HEAD)
            check_size(HEAD, found.meta["size"], limits.STATE_HEAD_BYTES)
            return bytes(found.bytes()), _version(found.meta)
        return None

    def swap(self, data: bytes, over: Version | None) -> Version:
        return self._put(HEAD, data, "create" if over is None else json.loads(over))

    def put_blob(self, name: str, data: bytes) -> None:
        with self._faults():
            try:
                self._store.put(f"blobs/{name}", data)
            except FileNotFoundError as problem:
                raise _no_bucket(problem) from problem

    def get_blob(self, name: str, room: BlobRoom) -> bytes:
        with self._faults(), _absent():
            found = self._store.get(f"blobs/{name}")
            size = found.meta["size"]
            check_size(name, size, limits.STATE_PART_BYTES)
            room.take(name, size)
            return bytes(found.bytes())
        raise Missing(name)

    def delete_blobs(self, names: Sequence[str]) -> None:
        for name in names:
            with suppress(EngineError), self._faults(), _absent():
                self._store.delete(f"blobs/{name}")

    def close(self) -> None:
        """Releases the client, which closes its connections once nothing refers to it. (This engine
        is part of a reference cycle.)"""
        del self._store

    def prepare(self) -> None:
        """Never creates a bucket: its name may be mistyped."""

    def probe(self) -> None:
        scratch = f"probe/{secrets.token_hex(8)}"
        made = self._put(scratch, b"1", "create")
        try:
            self._put(scratch, b"2", json.loads(made))
            for mode in ("create", json.loads(made)):
                try:
                    self._put(scratch, b"3", mode)
                except Moved:
                    continue
                raise Unconditional(
                    f"{self.display_name} accepted a write whose condition did not hold"
                )
        finally:
            with suppress(EngineError), self._faults(), _absent():
                self._store.delete(scratch)

    def others(self) -> Sequence[str]:
        """Returns none: this engine does not list names."""
        return ()

    def _put(self, path: str, data: bytes, mode: Any) -> Version:
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        with self._faults():
            try:
                done = self._store.put(path, data, mode=mode, use_multipart=False)
            except PreconditionError as problem:
                raise Moved("the head was replaced") from problem
            except AlreadyExistsError as problem:
                # This includes every 409: S3 sends it for concurrent writes, and it proves nothing.
                if mode == "create" and self._exists(path):
                    raise Moved("the head was replaced") from problem
                raise Unsure(_short(problem)) from problem
            except FileNotFoundError as problem:
                if mode == "create":
                    raise _no_bucket(problem) from problem
                raise Moved("the head was replaced") from problem
            return _version(done)

    def _exists(self, path: str) -> bool:
        with _absent():
            self._store.head(path)
            return True
        return False

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Translates the library's errors. Without credentials, it queries the machine's metadata
        service: before the first success, a failure of that query means missing credentials."""
        from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

        try:
            yield
        except (PermissionDeniedError, UnauthenticatedError) as problem:
            cause: Cause = "permission" if _FORBIDDEN.search(str(problem)) else "credentials"
            raise Denied(_short(problem), cause) from problem
        except BaseError as problem:
            if not self._was_reached and _METADATA.search(str(problem)):
                raise Denied("there are none in the environment", "credentials") from problem
            raise Unsure(_short(problem)) from problem
        self._was_reached = True


def _version(meta: Any) -> Version:
    """The condition of a conditional write, without the parts that the service does not support."""
    parts = {name: meta.get(name) for name in ("e_tag", "version")}
    return Version(json.dumps({n: value for n, value in parts.items() if value is not None}))


@contextmanager
def _absent() -> Iterator[None]:
    """Suppresses the error for a missing object, so that the code after the block runs. Raises
    Denied for a missing bucket."""
    try:
        yield
    except FileNotFoundError as problem:
        if _NO_BUCKET.search(str(problem)):
            raise _no_bucket(problem) from problem
        return


def _no_bucket(problem: Exception) -> Denied:
    return Denied(_short(problem), "container")


_MESSAGE = re.compile(r"<Code>(\w+)</Code>(?:\s*<Message>([^<\n]*))?")
_NO_BUCKET = re.compile(r"<Code>(?:NoSuchBucket|ContainerNotFound)<")
_FORBIDDEN = re.compile(r"<Code>(?:AccessDenied|AuthorizationPermissionMismatch)<")
"""The services' error responses, in XML; Google's and Azure's are like S3's."""

_METADATA = re.compile(
    r"http://\S+/(?:latest/(?:api|meta-data)|computeMetadata|metadata/identity)/"
)
_REQUEST = re.compile(r".*?Error performing [A-Z]+ (?:\S+ )?in \S+ - ")

_MAX_REASON = 2_000
"""The maximum number of characters that are searched, because the search takes quadratic time."""


def _short(problem: Exception) -> str:
    """The reason in one line: the service's message, or else the text after the request."""
    if found := _MESSAGE.search(str(problem)):
        return ": ".join(filter(None, found.groups()))[:200]
    return _REQUEST.sub("", str(problem)[:_MAX_REASON].partition("\n")[0])[:200]


def open_engine(address: str, env: Mapping[str, str], folder: Path) -> ObjectEngine:
    """The engine of an `s3://`, `gs://` or `az://` address."""
    del folder
    if find_spec("obstore") is None:
        raise Denied("taskctl[objects]", "extra")
    parts = urlsplit(address)
    options = _options(parts)
    endpoint = options.get("endpoint", "")
    more: dict[str, Any] = {
        "client_options": {
            "timeout": TIMEOUT,
            "connect_timeout": timedelta(seconds=10),
            "allow_http": is_plain_loopback(endpoint),
        },
        "retry_config": {"max_retries": 0},
    }
    more |= _aws_credentials(env) if parts.scheme == "s3" else {}
    try:
        store = _STORES[parts.scheme](parts.netloc, parts.path.strip("/"), options, more)
    except Exception as problem:
        raise Denied(_short(problem), "address") from problem
    return ObjectEngine(store, address, PACES.get(parts.scheme, Pace()))


def _options(parts: SplitResult) -> dict[str, str]:
    """The parameters of an address. Raises Denied for an unknown parameter, and for an endpoint
    without TLS, because prompts would be sent unencrypted."""
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    known = ("endpoint", "region") if parts.scheme == "s3" else ("endpoint",)
    if unknown := sorted(options.keys() - set(known)):
        why = f"unknown parameter {unknown[0]}; expected {' or '.join(known)}"
        raise Denied(why, "address")
    endpoint = options.get("endpoint", "https:")
    if not endpoint.startswith("https:") and not is_plain_loopback(endpoint):
        raise Denied("its endpoint must be an https:// URL", "address")
    if not parts.netloc:
        what = "account" if parts.scheme == "az" else "bucket"
        raise Denied(f"the name of the {what} is missing", "address")
    return options


def _s3(bucket: str, prefix: str, options: dict[str, str], more: dict[str, Any]) -> ObjectStore:
    from obstore.store import S3Store

    asked = {name: options[name] for name in ("endpoint", "region") if name in options}
    config: Any = {"conditional_put": "etag", **asked}
    return S3Store(bucket, prefix=prefix, config=config, **more)


def _google(bucket: str, prefix: str, options: dict[str, str], more: dict[str, Any]) -> ObjectStore:
    from obstore.store import GCSStore

    config: Any = None
    if endpoint := options.get("endpoint"):
        # An emulator has no tokens. (With `skip_signature`, writes still request a token.)
        account = {"gcs_base_url": endpoint, "disable_oauth": True, "private_key_id": ""}
        account |= {"client_email": "", "private_key": ""}
        config = {"service_account_key": json.dumps(account)}
    return GCSStore(bucket, prefix=prefix, config=config, **more)


def _azure(account: str, path: str, options: dict[str, str], more: dict[str, Any]) -> ObjectStore:
    from obstore.store import AzureStore

    container, _, prefix = path.partition("/")
    asked = {"endpoint": options["endpoint"]} if "endpoint" in options else {}
    config: Any = {"account_name": account, **asked}
    return AzureStore(container, prefix=prefix, config=config, **more)


PACES = {"gs": Pace(min_gap=1.0)}
"""Google limits writes of one object to about one per second."""

_STORES = {"s3": _s3, "gs": _google, "az": _azure}


def is_plain_loopback(endpoint: str) -> bool:
    """Whether an endpoint may be used without TLS."""
    parts = urlsplit(endpoint)
    return parts.scheme == "http" and is_loopback(parts.hostname or "")


def _aws_credentials(env: Mapping[str, str]) -> dict[str, Any]:
    """Profiles (`AWS_PROFILE`) are read by boto3, if it is installed, the rest by obstore."""
    if "AWS_PROFILE" not in env or "AWS_ACCESS_KEY_ID" in env:
        return {}
    if find_spec("boto3") is None:
        raise Denied("boto3", "extra")
    from obstore.auth.boto3 import Boto3CredentialProvider

    return {"credential_provider": Boto3CredentialProvider()}
