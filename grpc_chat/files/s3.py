"""Contents in a bucket of a server that speaks S3's protocol.

obstore does the talking: of the clients that are kept up it is the one without dependencies, and quick to
install and to load. It is an extra of the package (``grpc-chat[s3]``), loaded here alone.

What arrives of uploads stays on this machine until it is complete, so a bucket needs no unfinished uploads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from grpc_chat.errors import InvalidRequest, StoreUnavailable
from grpc_chat.files.base import require_digest

try:
    import obstore
    from obstore.exceptions import BaseError
    from obstore.store import S3Store
except ImportError as exc:
    raise InvalidRequest(
        "files in a bucket (files.s3) need one more package: pip install 'grpc-chat[s3]'", field="files.s3"
    ) from exc

_PROBE = "grpc-chat"
"""Nobody's name: whether it is there, only somebody who may read the bucket is told."""


class S3Contents:
    """See :class:`grpc_chat.files.base.Contents`.

    Others may keep theirs in the same bucket, even under the same names, so it is never looked through.

    Args:
        endpoint: As ``https://s3.example.org``.
        prefix: What names begin with, as ``chat/``.

    Raises:
        StoreUnavailable: The bucket can't be read.
    """

    def __init__(
        self,
        *,
        endpoint: str,
        bucket: str,
        region: str,
        access_key: str,
        secret_key: str,
        prefix: str = "",
        timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        self.place = f"the bucket {bucket} at {endpoint}" + (f", below {prefix}" if prefix else "")
        self._prefix = prefix
        self._store = S3Store(
            bucket,
            config={
                "endpoint": endpoint,
                "region": region,
                "access_key_id": access_key,
                "secret_access_key": secret_key,
                # Names of buckets as names of hosts need an entry in the DNS and a certificate for each.
                "virtual_hosted_style_request": False,
            },
            client_options={"allow_http": endpoint.startswith("http://"), "timeout": timeout},
            retry_config={"max_retries": 3, "retry_timeout": timeout},
        )
        with self._told("use"):
            self._size(_PROBE)

    def put(self, digest: str, path: Path) -> None:
        name = self._name(digest)
        with self._told("store a file in"):
            if self._size(name) != path.stat().st_size:
                # It has its name when all of it has arrived, large ones in parts.
                obstore.put(self._store, name, path)

    def read(self, digest: str, offset: int, length: int) -> bytes:
        if not length:
            return b""
        name = self._name(digest)
        with self._told("read a file from"):
            try:
                return bytes(obstore.get_range(self._store, name, start=offset, length=length))
            except FileNotFoundError:
                raise KeyError(digest) from None
            except BaseError:
                # A range that begins at the end is an error to servers.
                if offset < (self._size(name) or 0):
                    raise
                return b""

    def size(self, digest: str) -> int | None:
        with self._told("read a file from"):
            return self._size(self._name(digest))

    def _size(self, name: str) -> int | None:
        try:
            return obstore.head(self._store, name)["size"]
        except FileNotFoundError:
            return None

    def delete(self, digest: str) -> None:
        with self._told("delete a file in"):
            obstore.delete(self._store, self._name(digest))

    def own(self) -> Iterator[str]:
        return iter(())

    def close(self) -> None:
        """See :meth:`grpc_chat.files.base.Contents.close`."""

    def _name(self, digest: str) -> str:
        require_digest(digest)
        return f"{self._prefix}{digest[:2]}/{digest[2:]}"

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except (BaseError, OSError) as exc:
            # Their words go over several lines, of which the first says what it is.
            said = str(exc).partition("\n")[0]
            raise StoreUnavailable(f"the server can't {what} {self.place}") from _Cause(said)


class _Cause(Exception):
    """What a bucket's server said, for the log."""
