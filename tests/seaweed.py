"""A real server that speaks S3's protocol: SeaweedFS, which comes as a package."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from grpc_chat.errors import StoreUnavailable
from grpc_chat.files.s3 import S3Contents
from tests.programs import free_port

KEY, SECRET = "of-tests", "the-secret-of-tests"

_SECONDS = 60.0


@dataclass(frozen=True)
class Bucket:
    """A bucket that is empty."""

    endpoint: str
    name: str

    @property
    def settings(self) -> dict[str, object]:
        """Those of a server that keeps its files there, within ``files``."""
        return {
            "s3_endpoint": self.endpoint,
            "s3_bucket": self.name,
            "s3_access_key": KEY,
            "s3_secret_key": SECRET,
        }

    def contents(self, prefix: str = "", secret: str = SECRET) -> S3Contents:
        return S3Contents(
            endpoint=self.endpoint,
            bucket=self.name,
            region="us-east-1",
            access_key=KEY,
            secret_key=secret,
            prefix=prefix,
        )


@contextmanager
def seaweed(folder: Path) -> Iterator[Bucket]:
    """A server on this machine alone, with its data in a folder. It takes some six seconds to begin."""
    identity = {
        "name": "tests",
        "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    ports = {f"{part}.port{kind}": free_port() for part in _PARTS for kind in ("", ".grpc")}
    settings = {
        "dir": folder,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        **ports,
        "filer": "true",
        "filer.localSocket": folder / "filer.sock",
        "s3": "true",
        "s3.config": folder / "s3.json",
        "s3.localSocket": folder / "s3.sock",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "master.volumeSizeLimitMB": 64,
        "volume.max": 4,
    }
    program = Path(sys.executable).with_name("weed")
    command = [str(program), "server", *(f"-{name}={value}" for name, value in settings.items())]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        bucket = Bucket(f"http://127.0.0.1:{ports['s3.port']}", "files")
        _wait_for(bucket, folder)
        yield bucket
    finally:
        # Asked to end, it takes ten seconds for it.
        process.kill()
        process.wait()


_PARTS = ("master", "volume", "filer", "s3")


def _wait_for(bucket: Bucket, folder: Path) -> None:
    """Wait until something can be stored, which makes the bucket."""
    probe, digest = folder / "probe", "0" * 64
    probe.write_bytes(b"x")
    end = time.monotonic() + _SECONDS
    while True:
        try:
            contents = bucket.contents()
            contents.put(digest, probe)
            contents.delete(digest)
            return
        except StoreUnavailable:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
