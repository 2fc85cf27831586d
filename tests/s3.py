"""A real S3 server for the tests: moto, in a process and an environment of its own, that checks signatures.

``make test`` installs it (``constraints/s3.txt``). Tests look into it with plain requests that share no code
with ours: while ``raw`` asks, the server lets everybody in.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from core.bucket import Bucket

PYTHON = Path(sys.prefix) / "s3" / "bin" / "python"
START_S = 30.0
REGION = "us-east-1"
ALLOWED = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'
VERSIONS_ON = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"


@dataclass(frozen=True)
class S3Server:
    """A server that refuses whoever does not sign with this key and secret."""

    url: str
    key: str = ""
    secret: str = ""

    def raw(self, method: str, path: str, body: bytes = b"") -> str:
        """Ask past the guard, in the words of the S3 API; gives the answer's body."""
        with self._unguarded():
            return self._send(method, path, body)

    def bucket(self, name: str, prefix: str = "", *, versions: bool = False) -> Bucket:
        """Make a bucket, which keeps versions if wanted."""
        self.raw("PUT", f"/{name}")
        if versions:
            self.raw("PUT", f"/{name}?versioning", VERSIONS_ON)
        return Bucket(name, prefix, self.url, REGION, self.key, self.secret)

    def keys(self, bucket: Bucket, what: str) -> list[str]:
        """Name the keys of all ``versions`` or ``uploads`` of a bucket, one for each."""
        return sorted(re.findall("<Key>(.*?)</Key>", self.raw("GET", f"/{bucket.name}?{what}")))

    def begin_upload(self, bucket: Bucket, key: str) -> None:
        """Begin an upload in parts, send one, and leave it at that."""
        begun = self.raw("POST", f"/{bucket.name}/{key}?uploads")
        [upload] = re.findall("<UploadId>(.*?)</UploadId>", begun)
        self.raw("PUT", f"/{bucket.name}/{key}?partNumber=1&uploadId={upload}", b"x" * 100)

    def setting(self, bucket: Bucket) -> str:
        """Write a bucket as ``TEDUH_RECORDINGS_URL`` has it."""
        opens = f"{self.key}:{quote(self.secret, safe='')}"
        return f"s3://{opens}@{bucket.name}/{bucket.prefix}?endpoint={self.url}&region={REGION}"

    def with_user(self) -> S3Server:
        """Make somebody who may do everything with buckets, and guard the server from now on."""
        for asked in (
            {"Action": "CreateUser", "UserName": "teduh"},
            {
                "Action": "PutUserPolicy",
                "UserName": "teduh",
                "PolicyName": "all",
                "PolicyDocument": ALLOWED,
            },
        ):
            self._ask_iam(asked)
        made = self._ask_iam({"Action": "CreateAccessKey", "UserName": "teduh"})
        [key] = re.findall("<AccessKeyId>(.*?)</AccessKeyId>", made)
        [secret] = re.findall("<SecretAccessKey>(.*?)</SecretAccessKey>", made)
        self._guard("0")
        return S3Server(self.url, key, secret)

    def _ask_iam(self, asked: Mapping[str, str]) -> str:
        body = urlencode({**asked, "Version": "2010-05-08"}).encode()
        return self._send("POST", "/", body, service="iam", kind="application/x-www-form-urlencoded")

    @contextlib.contextmanager
    def _unguarded(self) -> Iterator[None]:
        self._guard("inf")
        try:
            yield
        finally:
            self._guard("0")

    def _guard(self, after: str) -> None:
        self._send("POST", "/moto-api/reset-auth", after.encode())

    def _send(
        self,
        method: str,
        path: str,
        body: bytes,
        *,
        service: str = "s3",
        kind: str = "application/octet-stream",
    ) -> str:
        claimed = (
            f"AWS4-HMAC-SHA256 Credential=x/20260101/{REGION}/{service}/aws4_request, SignedHeaders=host"
        )
        headers = {"Content-Type": kind, "Authorization": claimed}
        request = urllib.request.Request(self.url + path, data=body or None, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            text: str = answer.read().decode()
        return text


@contextlib.contextmanager
def running_s3() -> Iterator[S3Server]:
    """Start a server; stop it afterwards."""
    if not PYTHON.is_file():
        raise RuntimeError(f"There is no S3 server at {PYTHON}: run `make test`, or `make .venv/s3/.done`.")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [PYTHON, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env={key: value for key, value in os.environ.items() if not key.startswith("PYTHON")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(port, server)
        yield S3Server(f"http://127.0.0.1:{port}").with_user()
    finally:
        server.terminate()
        server.wait()


def _wait(port: int, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            if server.poll() is not None or time.monotonic() > until:
                raise RuntimeError("the S3 server does not start") from None
            time.sleep(0.05)
        else:
            return
