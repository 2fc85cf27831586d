"""The store in a bucket that speaks S3. Owns obstore.

obstore puts, reads and lists. What it cannot ask for is done here with requests of our own: the versions of a
name, which a plain DELETE leaves behind in a bucket that keeps versions, and uploads in parts that somebody
began and never finished, which no list of objects shows and which cost until somebody ends them.
"""

from __future__ import annotations

import contextlib
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import aiohttp
import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store as ObjectStore
from yarl import URL

from core.bucket import Bucket
from recordings.sigv4 import sign, target
from recordings.store import NotStored, Stored, StoreFailed, whose

PART_BYTES: Final = 8 << 20
"""Parts of an upload: 10,000 of them are the most, so files of 80 GB fit; 8 MB come through a slow line."""
PARTS_AT_ONCE: Final = 2
REQUEST_WITHIN: Final = timedelta(minutes=5)
CONNECT_WITHIN: Final = timedelta(seconds=5)
TRIES: Final = 2
PAGE: Final = 1_000
MAX_LIST_BYTES: Final = 8 << 20
NOT_IMPLEMENTED: Final = 501


@dataclass(frozen=True, slots=True)
class _Part:
    """One version of an object, or one begun upload: the query that deletes it, and when it was made."""

    key: str
    query: tuple[str, str]
    at: datetime


class BucketStore:
    """A bucket, or what lies under a prefix in it. The HTTP session is made with the first request."""

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
        self._http: aiohttp.ClientSession | None = None

    async def put(self, name: str, path: Path) -> None:
        """Upload a file, in parts when it is large. What an upload before this one left behind is ended."""
        await self._end([one async for one in self._uploads(self._key(name))])
        with _told():
            await obstore.put_async(
                self._objects, name, path, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE
            )

    async def size(self, name: str) -> int:
        """Give the size in bytes. Raises ``NotStored``."""
        self._key(name)
        with _told():
            return (await obstore.head_async(self._objects, name))["size"]

    async def read(self, name: str, offset: int, length: int) -> bytes:
        """Read a part. Raises ``NotStored``."""
        self._key(name)
        with _told():
            return bytes(await obstore.get_range_async(self._objects, name, start=offset, length=length))

    async def delete(self, name: str) -> int:
        """Delete every version, delete marker and begun upload of a name, and look that none is left."""
        key = self._key(name)
        gone = await self._end([one async for one in self._left(key)])
        if left := [one async for one in self._left(key)]:
            raise StoreFailed(f"The bucket keeps {len(left)} versions of {name}: is there a lock on them?")
        return gone

    async def every(self) -> AsyncIterator[Stored]:
        """List all objects with names of ours."""
        with _told():
            async for batch in obstore.list(self._objects):
                for one in batch:
                    if whose(one["path"]) is not None:
                        yield Stored(one["path"], one["size"], one["last_modified"])

    async def sweep(self, *, before: datetime) -> int:
        """End uploads that were begun before a time."""
        prefix = f"{self._bucket.prefix}/" if self._bucket.prefix else ""
        return await self._end([one async for one in self._uploads(prefix) if one.at < before])

    async def close(self) -> None:
        """Let the connections go."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    def _key(self, name: str) -> str:
        if whose(name) is None:
            raise NotStored("This is no name of a recording.")
        return f"{self._bucket.prefix}/{name}" if self._bucket.prefix else name

    async def _left(self, key: str) -> AsyncIterator[_Part]:
        async for one in self._versions(key):
            yield one
        async for one in self._uploads(key):
            if one.key == key:
                yield one

    async def _versions(self, key: str) -> AsyncIterator[_Part]:
        """List the versions of a key; a store that knows no versions has the one at most."""
        asked = {"versions": "", "prefix": key, "max-keys": str(PAGE)}
        while True:
            page = await self._ask("GET", "", asked)
            if page is None:
                with contextlib.suppress(NotStored), _told():
                    found = await obstore.head_async(
                        self._objects, key.removeprefix(f"{self._bucket.prefix}/")
                    )
                    yield _Part(key, ("", ""), found["last_modified"])
                return
            for one in (*page.iter("Version"), *page.iter("DeleteMarker")):
                if _text(one, "Key") == key:
                    yield _Part(key, ("versionId", _text(one, "VersionId")), _at(one, "LastModified"))
            if _text(page, "IsTruncated") != "true":
                return
            asked |= {
                "key-marker": _text(page, "NextKeyMarker"),
                "version-id-marker": _text(page, "NextVersionIdMarker"),
            }

    async def _uploads(self, prefix: str) -> AsyncIterator[_Part]:
        asked = {"uploads": "", "prefix": prefix, "max-uploads": str(PAGE)}
        while (page := await self._ask("GET", "", asked)) is not None:
            for one in page.iter("Upload"):
                yield _Part(_text(one, "Key"), ("uploadId", _text(one, "UploadId")), _at(one, "Initiated"))
            if _text(page, "IsTruncated") != "true":
                return
            asked |= {
                "key-marker": _text(page, "NextKeyMarker"),
                "upload-id-marker": _text(page, "NextUploadIdMarker"),
            }

    async def _end(self, parts: list[_Part]) -> int:
        for one in parts:
            name, value = one.query
            await self._ask("DELETE", one.key, {name: value} if name else {})
        return len(parts)

    async def _ask(self, method: str, key: str, query: dict[str, str]) -> ET.Element | None:
        """Ask the bucket; None when it does not know the question, or answers without a body."""
        url = target(self._bucket, key, query)
        headers = sign(self._bucket, method=method, url=url, now=datetime.now(UTC))
        if self._http is None:
            limits = aiohttp.ClientTimeout(total=60.0, connect=CONNECT_WITHIN.total_seconds())
            self._http = aiohttp.ClientSession(timeout=limits)
        try:
            async with self._http.request(
                method, URL(url, encoded=True), headers=headers, allow_redirects=False
            ) as answer:
                body = await _body(answer)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise StoreFailed(f"The bucket does not answer ({type(error).__name__}).") from None
        if answer.status == NOT_IMPLEMENTED and method == "GET":
            return None
        if answer.status == 404 and method == "DELETE":
            return None
        if answer.status >= 300:
            raise StoreFailed(f"The bucket answers {answer.status} to {method}.")
        return _parsed(body) if method == "GET" else None


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in answer.content.iter_chunked(1 << 16):
        body += piece
        if len(body) > MAX_LIST_BYTES:
            raise StoreFailed("The bucket answers without an end.")
    return bytes(body)


def _parsed(body: bytes) -> ET.Element:
    """Parse an answer, without the namespace that some servers put in and others do not."""
    try:
        page = ET.fromstring(body)  # noqa: S314  # the operator's own bucket; bounded, and expat expands no bombs
    except ET.ParseError:
        raise StoreFailed("The bucket answers what is no list.") from None
    for one in page.iter():
        one.tag = one.tag.rpartition("}")[2]
    return page


def _text(element: ET.Element, name: str) -> str:
    return element.findtext(name) or ""


def _at(element: ET.Element, name: str) -> datetime:
    try:
        return datetime.fromisoformat(_text(element, name)).astimezone(UTC)
    except ValueError:
        raise StoreFailed("The bucket answers with a time that is none.") from None


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Say in our words what went wrong; obstore's own may hold URLs."""
    try:
        yield
    except FileNotFoundError:
        raise NotStored("There is nothing under this name.") from None
    except (BaseError, ValueError, OSError) as error:
        raise StoreFailed(f"The bucket did not do it ({type(error).__name__}).") from error
