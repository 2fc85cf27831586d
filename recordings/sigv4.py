"""Signing a request to a bucket: AWS Signature Version 4, in the header ``Authorization``. Pure.

For the few requests that obstore does not make (``recordings/store_s3.py``). Defined in the Amazon S3 API
Reference, "Authenticating Requests: Using the Authorization Header"; only requests without a body are signed.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, urlsplit

from core.bucket import Bucket

ALGORITHM: Final = "AWS4-HMAC-SHA256"
NO_BODY: Final = hashlib.sha256(b"").hexdigest()
SIGNED: Final = "host;x-amz-content-sha256;x-amz-date"


def target(bucket: Bucket, key: str, query: Mapping[str, str]) -> str:
    """Write the URL of a request, encoded as it is signed; ``key`` empty asks for the bucket itself."""
    path = f"/{bucket.name}" + (f"/{quote(key, safe='/~')}" if key else "")
    asked = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in sorted(query.items()))
    return f"{bucket.endpoint}{path}" + (f"?{asked}" if asked else "")


def sign(bucket: Bucket, *, method: str, url: str, now: datetime) -> dict[str, str]:
    """Give the headers of a request without a body to a URL that ``target`` wrote."""
    at = now.astimezone(UTC)
    stamp, scope = at.strftime("%Y%m%dT%H%M%SZ"), f"{at:%Y%m%d}/{bucket.region}/s3/aws4_request"
    parts = urlsplit(url)
    canonical = "\n".join(
        (
            method,
            parts.path,
            parts.query,
            f"host:{parts.netloc}",
            f"x-amz-content-sha256:{NO_BODY}",
            f"x-amz-date:{stamp}",
            "",
            SIGNED,
            NO_BODY,
        )
    )
    to_sign = "\n".join((ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    signature = hmac.new(_key(bucket, scope), to_sign.encode(), hashlib.sha256).hexdigest()
    return {
        "Host": parts.netloc,
        "X-Amz-Date": stamp,
        "X-Amz-Content-SHA256": NO_BODY,
        "Authorization": f"{ALGORITHM} Credential={bucket.key}/{scope}, SignedHeaders={SIGNED}, "
        f"Signature={signature}",
    }


def _key(bucket: Bucket, scope: str) -> bytes:
    key = f"AWS4{bucket.secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _encoded(text: str) -> str:
    return quote(text, safe="~")
