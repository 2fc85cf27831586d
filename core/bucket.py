"""Where finished recordings may lie outside of the data directory: a directory, or a bucket that speaks S3.

A bucket is written ``s3://KEY:SECRET@BUCKET/PREFIX?endpoint=https://HOST&region=REGION``; the secret with
its ``/`` and ``+`` percent-encoded. Without an endpoint it is Amazon's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

EXAMPLE: Final = "s3://KEY:SECRET@BUCKET/PREFIX?endpoint=https://HOST&region=REGION or file:///DIRECTORY"
REGION: Final = "us-east-1"
NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
PREFIX: Final = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket and what opens it. ``prefix`` has no slash at its ends and may be empty."""

    name: str
    prefix: str
    endpoint: str
    region: str
    key: str
    secret: str = field(repr=False)

    def __str__(self) -> str:
        """Say where it is, without what opens it."""
        return "/".join(part for part in (self.endpoint, self.name, self.prefix) if part)


def place(text: str) -> Path | Bucket:
    """Read where recordings are stored. Raises ``ValueError`` with a sentence that quotes nothing."""
    url = urlsplit(text)
    if url.scheme == "file" and not url.netloc and url.path.startswith("/") and not url.query:
        return Path(unquote(url.path))
    if url.scheme != "s3":
        raise ValueError(f"it must look like {EXAMPLE}")
    return _bucket(text)


def _bucket(text: str) -> Bucket:
    url = urlsplit(text)
    asked = dict(parse_qsl(url.query, keep_blank_values=True))
    if not url.username or not url.password:
        raise ValueError("it must hold the key and the secret that open the bucket, as KEY:SECRET@")
    if not url.hostname or not NAME.fullmatch(url.hostname) or url.hostname not in url.netloc:
        raise ValueError("it must name the bucket, in small letters, behind the @")
    prefix = url.path.strip("/")
    if prefix and not PREFIX.fullmatch(prefix):
        raise ValueError("its prefix may hold letters, digits, dots, dashes and slashes between them")
    if not asked.keys() <= {"endpoint", "region"}:
        raise ValueError("it may have endpoint and region behind the ?, and nothing else")
    region = asked.get("region") or REGION
    return Bucket(
        name=url.hostname,
        prefix=prefix,
        endpoint=_endpoint(asked.get("endpoint") or f"https://s3.{region}.amazonaws.com"),
        region=region,
        key=unquote(url.username),
        secret=unquote(url.password),
    )


def _endpoint(text: str) -> str:
    url = urlsplit(text)
    if url.scheme not in {"http", "https"} or not url.hostname or url.username or url.query or url.fragment:
        raise ValueError("its endpoint must look like https://HOST or https://HOST:PORT")
    return text.rstrip("/")
