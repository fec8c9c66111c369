"""A state in object storage: S3 and compatible services, Google Cloud Storage, Azure Blob.

The head is one object that is replaced by conditional writes; blobs lie beside it. The client never
repeats a write by itself: what an error means is decided by reading the head.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from reconciler.state.engines.engine import (
    DeniedError,
    EngineError,
    MissingError,
    MovedError,
    UnconditionalError,
    UnsureError,
    Version,
)

if TYPE_CHECKING:
    from obstore.store import ObjectStore

TIMEOUT = timedelta(seconds=30)
"""For one request; after it, whether a write was done is not known."""

HEAD = "head"


class ObjectEngine:
    """The Engine of one prefix in one bucket. `store` is rooted at the prefix."""

    def __init__(self, store: ObjectStore, shown: str) -> None:
        self._store = store
        self.shown = shown

    def read(self) -> tuple[bytes, Version] | None:
        import obstore

        with _faults(), _absent():
            found = obstore.get(self._store, HEAD)
            return bytes(found.bytes()), _version(found.meta)
        return None

    def swap(self, data: bytes, over: Version | None) -> Version:
        return self._put(HEAD, data, "create" if over is None else over.token)

    def keep(self, name: str, data: bytes) -> None:
        with _faults():
            self._overwrite(f"blobs/{name}", data)

    def kept(self, name: str) -> bytes:
        import obstore

        with _faults(), _absent():
            return bytes(obstore.get(self._store, f"blobs/{name}").bytes())
        raise MissingError("blob", name=name)

    def drop(self, names: Sequence[str]) -> None:
        import obstore

        for name in names:
            with suppress(EngineError), _faults(), _absent():
                obstore.delete(self._store, f"blobs/{name}")

    def close(self) -> None:
        """The library has nothing to close."""

    def prepare(self) -> None:
        """A bucket is never created here: its name may be mistyped."""

    def probe(self) -> None:
        scratch = f"probe/{secrets.token_hex(8)}"
        import obstore

        made = self._put(scratch, b"1", "create")
        try:
            self._put(scratch, b"2", made.token)
            for mode in ("create", made.token):
                try:
                    self._put(scratch, b"3", mode)
                except MovedError:
                    continue
                raise UnconditionalError("ignored", address=self.shown)
        finally:
            with suppress(EngineError), _faults(), _absent():
                obstore.delete(self._store, scratch)

    def _put(self, path: str, data: bytes, mode: Any) -> Version:
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        with _faults():
            try:
                done = obstore.put(self._store, path, data, mode=mode, use_multipart=False)
            except (AlreadyExistsError, PreconditionError) as problem:
                raise MovedError("moved") from problem
            except FileNotFoundError as problem:
                if mode == "create":
                    raise DeniedError("bucket", address=self.shown) from problem
                raise MovedError("moved") from problem
            return _version(done)

    def _overwrite(self, path: str, data: bytes) -> None:
        import obstore

        try:
            obstore.put(self._store, path, data, use_multipart=False)
        except FileNotFoundError as problem:
            raise DeniedError("bucket", address=self.shown) from problem


def _version(meta: Any) -> Version:
    """What a conditional write compares; a part that the service has not is left out."""
    parts = {name: meta.get(name) for name in ("e_tag", "version")}
    return Version({name: value for name, value in parts.items() if value is not None})


@contextmanager
def _absent() -> Iterator[None]:
    """Passes over what is not there: the code behind the block then runs."""
    try:
        yield
    except FileNotFoundError:
        return


@contextmanager
def _faults() -> Iterator[None]:
    """The library's errors as the engine's."""
    from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

    try:
        yield
    except (PermissionDeniedError, UnauthenticatedError) as problem:
        raise DeniedError("credentials", problem=_short(problem)) from problem
    except BaseError as problem:
        raise UnsureError("request", problem=_short(problem)) from problem


def _short(problem: Exception) -> str:
    """The first line: what follows repeats the request."""
    return str(problem).partition("\n")[0][:200]


def open_objects(address: str) -> ObjectEngine:
    """The engine of an `s3://`, `gs://` or `az://` address. Credentials come from the environment.

    ModuleNotFoundError without the extra `objects`; DeniedError for an address that is not usable.
    """
    import obstore  # noqa: F401 - so that a missing extra is known before anything else

    parts = urlsplit(address)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    endpoint = options.get("endpoint", "")
    more: dict[str, Any] = {
        "client_options": {
            "timeout": TIMEOUT,
            "connect_timeout": timedelta(seconds=10),
            "allow_http": is_loopback(endpoint),
        },
        "retry_config": {"max_retries": 0},
    }
    try:
        store = _STORES[parts.scheme](parts.netloc, parts.path.strip("/"), options, more)
    except Exception as problem:
        raise DeniedError("address", address=address, problem=_short(problem)) from problem
    return ObjectEngine(store, address)


def _s3(bucket: str, prefix: str, options: dict[str, str], more: dict[str, Any]) -> ObjectStore:
    from obstore.store import S3Store

    asked = {name: options[name] for name in ("endpoint", "region") if name in options}
    config: Any = {"conditional_put": "etag", **asked}
    return S3Store(bucket, prefix=prefix, config=config, **more, **_aws_credentials())


def _google(bucket: str, prefix: str, options: dict[str, str], more: dict[str, Any]) -> ObjectStore:
    from obstore.store import GCSStore

    endpoint = options.get("endpoint")
    config: Any = {"base_url": endpoint, "skip_signature": True} if endpoint else None
    return GCSStore(bucket, prefix=prefix, config=config, **more)


def _azure(account: str, path: str, options: dict[str, str], more: dict[str, Any]) -> ObjectStore:
    from obstore.store import AzureStore

    container, _, prefix = path.partition("/")
    asked = {"endpoint": options["endpoint"]} if "endpoint" in options else {}
    config: Any = {"account_name": account, **asked}
    return AzureStore(container, prefix=prefix, config=config, **more)


_STORES = {"s3": _s3, "gs": _google, "az": _azure}


def is_loopback(endpoint: str) -> bool:
    """Whether an endpoint may be spoken to without TLS."""
    parts = urlsplit(endpoint)
    return parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")


def _aws_credentials() -> dict[str, Any]:
    """A profile (`AWS_PROFILE`) is read by boto3, where it is installed; the rest by obstore."""
    import os

    if "AWS_PROFILE" not in os.environ or "AWS_ACCESS_KEY_ID" in os.environ:
        return {}
    from obstore.auth.boto3 import Boto3CredentialProvider

    return {"credential_provider": Boto3CredentialProvider()}
