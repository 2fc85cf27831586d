"""The store in a bucket that speaks S3. Owns obstore and botocore.

obstore puts, reads and lists. What it cannot ask for is asked by botocore, in a thread: the versions of a
name, which a plain DELETE leaves behind in a bucket that keeps versions, and uploads in parts that somebody
began and never finished, which no list of objects shows and which cost until somebody ends them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import botocore.config
import botocore.session
import obstore
from botocore.exceptions import BotoCoreError, ClientError
from obstore.exceptions import BaseError
from obstore.store import S3Store as ObjectStore

from core.bucket import Bucket
from recordings.store import NotStored, Stored, StoreFailed, whose

PART_BYTES: Final = 8 << 20
"""Parts of an upload: 10,000 of them are the most, so files of 80 GB fit; 8 MB come through a slow line."""
PARTS_AT_ONCE: Final = 2
REQUEST_WITHIN: Final = timedelta(minutes=5)
LIST_WITHIN: Final = timedelta(minutes=1)
CONNECT_WITHIN: Final = timedelta(seconds=5)
TRIES: Final = 2
PAGE: Final = 1_000
KNOWS_NO_VERSIONS: Final = frozenset({"NotImplemented", "501"})


@dataclass(frozen=True, slots=True)
class _Part:
    """One version of an object, or one begun upload: what ends it, and when it was made."""

    key: str
    at: datetime
    version: str = ""
    upload: str = ""


class BucketStore:
    """A bucket, or what lies under a prefix in it."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._objects = ObjectStore(
            bucket.name,
            prefix=bucket.prefix or None,
            config={
                "endpoint": bucket.endpoint,
                "region": bucket.region,
                "access_key_id": bucket.key,
                "secret_access_key": bucket.secret,
                "virtual_hosted_style_request": False,
            },
            client_options={
                "allow_http": bucket.endpoint.startswith("http:"),
                "connect_timeout": CONNECT_WITHIN,
                "timeout": REQUEST_WITHIN,
            },
            retry_config={"max_retries": TRIES, "retry_timeout": timedelta(minutes=1)},
        )

    async def put(self, name: str, path: Path) -> None:
        """Upload a file, in parts when it is large. What an upload before this one left behind is ended."""
        key = self._key(name)
        with self._told():
            await asyncio.to_thread(lambda: self._end(self._uploads(key)))
            await obstore.put_async(
                self._objects, name, path, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE
            )

    async def size(self, name: str) -> int:
        """Give the size in bytes. Raises ``NotStored``."""
        self._key(name)
        with self._told():
            return (await obstore.head_async(self._objects, name))["size"]

    async def read(self, name: str, offset: int, length: int) -> bytes:
        """Read a part. Raises ``NotStored``."""
        self._key(name)
        with self._told():
            return bytes(await obstore.get_range_async(self._objects, name, start=offset, length=length))

    async def delete(self, name: str) -> int:
        """Delete every version, delete marker and begun upload of a name, and look that none is left."""
        key = self._key(name)
        with self._told():
            gone = await asyncio.to_thread(lambda: self._end(self._left(key)))
            left = await asyncio.to_thread(lambda: self._left(key))
        if left:
            raise StoreFailed(f"The bucket keeps {len(left)} versions of {name}: is there a lock on them?")
        return gone

    async def every(self) -> AsyncIterator[Stored]:
        """List all objects with names of ours, as empty where only versions are left of them."""
        shown = set[str]()
        with self._told():
            async for batch in obstore.list(self._objects):
                for one in batch:
                    if whose(one["path"]) is not None:
                        shown.add(one["path"])
                        yield Stored(one["path"], one["size"], one["last_modified"])
            for key, at in (await asyncio.to_thread(self._kept)).items():
                if key not in shown:
                    yield Stored(key, 0, at)

    async def sweep(self, *, before: datetime) -> int:
        """End uploads to names of ours that were begun before a time; others may share the bucket."""

        def old() -> list[_Part]:
            return [
                one
                for one in self._uploads(self._prefix)
                if one.at < before and whose(one.key.removeprefix(self._prefix)) is not None
            ]

        with self._told():
            return await asyncio.to_thread(lambda: self._end(old()))

    async def close(self) -> None:
        """Let the connections go."""
        if "_client" in self.__dict__:
            self._client.close()

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401  # botocore makes its classes as it runs
        return botocore.session.Session().create_client(
            "s3",
            region_name=self._bucket.region,
            endpoint_url=self._bucket.endpoint,
            aws_access_key_id=self._bucket.key,
            aws_secret_access_key=self._bucket.secret,
            config=botocore.config.Config(
                connect_timeout=CONNECT_WITHIN.total_seconds(),
                read_timeout=LIST_WITHIN.total_seconds(),
                retries={"total_max_attempts": TRIES},
                s3={"addressing_style": "path"},
            ),
        )

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Say in our words what went wrong; the libraries' own may hold what opens the bucket."""
        try:
            yield
        except FileNotFoundError:
            raise NotStored("There is nothing under this name.") from None
        except (BaseError, BotoCoreError, ClientError, ValueError, OSError) as error:
            what = type(error).__name__
            raise StoreFailed(f"The bucket {self._bucket} did not do it ({what}).") from error

    def _key(self, name: str) -> str:
        if whose(name) is None:
            raise NotStored("This is no name of a recording.")
        return f"{self._prefix}{name}"

    @property
    def _prefix(self) -> str:
        return f"{self._bucket.prefix}/" if self._bucket.prefix else ""

    def _kept(self) -> dict[str, datetime]:
        """Give the names of ours that versions are kept of, also behind a delete marker, and since when."""
        try:
            return {
                name: one["LastModified"]
                for page in self._pages("list_object_versions", self._prefix)
                for one in page.get("Versions", ())
                if whose(name := one["Key"].removeprefix(self._prefix)) is not None
            }
        except ClientError as error:
            if error.response["Error"]["Code"] not in KNOWS_NO_VERSIONS:
                raise
        return {}

    def _left(self, key: str) -> list[_Part]:
        return self._versions(key) + [one for one in self._uploads(key) if one.key == key]

    def _versions(self, key: str) -> list[_Part]:
        """List the versions of a key; a store that knows no versions has the one at most."""
        try:
            return [
                _Part(key, one["LastModified"], version=one["VersionId"])
                for page in self._pages("list_object_versions", key)
                for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
                if one["Key"] == key
            ]
        except ClientError as error:
            if error.response["Error"]["Code"] not in KNOWS_NO_VERSIONS:
                raise
        found = self._client.list_objects_v2(Bucket=self._bucket.name, Prefix=key)
        return [_Part(key, one["LastModified"]) for one in found.get("Contents", ()) if one["Key"] == key]

    def _uploads(self, prefix: str) -> list[_Part]:
        return [
            _Part(one["Key"], one["Initiated"], upload=one["UploadId"])
            for page in self._pages("list_multipart_uploads", prefix)
            for one in page.get("Uploads", ())
        ]

    def _pages(self, asked: str, prefix: str) -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator(asked).paginate(
            Bucket=self._bucket.name, Prefix=prefix, PaginationConfig={"PageSize": PAGE}
        )
        yield from pages

    def _end(self, parts: list[_Part]) -> int:
        for one in parts:
            place = {"Bucket": self._bucket.name, "Key": one.key}
            if one.upload:
                with contextlib.suppress(self._client.exceptions.NoSuchUpload):
                    self._client.abort_multipart_upload(**place, UploadId=one.upload)
            else:
                version = {"VersionId": one.version} if one.version else {}
                self._client.delete_object(**place, **version)
        return len(parts)
