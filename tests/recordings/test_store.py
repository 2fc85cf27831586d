"""Every store keeps the same promises: a directory, a bucket of a real S3 server, one that keeps versions."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.bucket import Bucket
from core.ids import new_id
from recordings.states import Side
from recordings.store import NotStored, Store, StoreFailed, object_name, whose
from recordings.store_local import DRAFT, LocalStore
from recordings.store_s3 import PART_BYTES, BucketStore
from tests.s3 import S3Server, running_s3

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with running_s3() as server:
        yield server


@pytest.fixture(params=["directory", "bucket", "prefix", "versions"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "directory":
        made: Store = LocalStore(tmp_path / "stored")
    else:
        server: S3Server = request.getfixturevalue("s3")
        made = BucketStore(
            server.bucket(
                f"rekaman-{next(_numbers)}",
                "" if request.param == "bucket" else "teduh/finals",
                versions=request.param == "versions",
            )
        )
    yield made
    await made.close()


@pytest.fixture
def name() -> str:
    return object_name(new_id("r"), Side.CLIENT)


def file(folder: Path, content: bytes) -> Path:
    path = folder / f"{next(_numbers)}.part"
    path.write_bytes(content)
    return path


async def names(store: Store) -> list[str]:
    return sorted([one.name async for one in store.every()])


async def test_what_is_put_is_read_in_any_part(store: Store, name: str, tmp_path: Path) -> None:
    content = os.urandom(PART_BYTES + 12_345)  # in parts, where there are parts
    path = file(tmp_path, content)
    await store.put(name, path)
    assert path.read_bytes() == content
    assert await store.size(name) == len(content)
    assert await store.read(name, 0, 10) == content[:10]
    assert await store.read(name, PART_BYTES - 3, 100) == content[PART_BYTES - 3 : PART_BYTES + 97]
    assert await store.read(name, len(content) - 5, 100) == content[-5:]
    [one] = [one async for one in store.every()]
    assert (one.name, one.size_bytes) == (name, len(content))
    assert abs(one.at - datetime.now(UTC)) < timedelta(minutes=1)


async def test_putting_again_replaces(store: Store, name: str, tmp_path: Path) -> None:
    await store.put(name, file(tmp_path, b"first"))
    await store.put(name, file(tmp_path, b"second"))
    assert await store.read(name, 0, 100) == b"second"
    assert await names(store) == [name]


async def test_deleting_takes_one_name_and_no_other(store: Store, name: str, tmp_path: Path) -> None:
    other = name.replace("client", "counselor")
    for one in (name, other):
        await store.put(one, file(tmp_path, one.encode()))
    assert await store.delete(name) == 1
    assert await names(store) == [other]
    assert await store.delete(name) == 0
    with pytest.raises(NotStored):
        await store.size(name)
    with pytest.raises(NotStored):
        await store.read(name, 0, 1)
    assert await store.delete(other) == 1
    assert await names(store) == []


async def test_an_empty_store_lists_nothing_and_sweeps_nothing(store: Store) -> None:
    assert await names(store) == []
    assert await store.sweep(before=datetime.now(UTC)) == 0


@pytest.mark.parametrize("bad", ["../../etc/passwd", "r_x/client.webm.age", "", "/abs", "r_/other.log"])
async def test_a_name_that_is_none_of_ours_is_never_asked_for(store: Store, bad: str, tmp_path: Path) -> None:
    for asked in (store.size(bad), store.delete(bad), store.read(bad, 0, 1), store.put(bad, tmp_path)):
        with pytest.raises(NotStored):
            await asked


def test_a_name_says_whose_it_is() -> None:
    recording = new_id("r")
    assert whose(object_name(recording, Side.COUNSELOR)) == (recording, Side.COUNSELOR)
    assert whose(f"{recording}/nobody.webm.age") is None
    assert whose(f"{recording}/client.log") is None


# A bucket


async def test_all_versions_go_and_delete_markers_too(s3: S3Server, name: str, tmp_path: Path) -> None:
    bucket = s3.bucket(f"versioned-{next(_numbers)}", "a", versions=True)
    store = BucketStore(bucket)
    for content in (b"one", b"two", b"three"):
        await store.put(name, file(tmp_path, content))
    s3.raw("DELETE", f"/{bucket.name}/a/{name}")
    longer = f"a/{name}x"
    s3.raw("PUT", f"/{bucket.name}/{longer}", b"its name begins alike")
    assert s3.keys(bucket, "versions") == [f"a/{name}"] * 4 + [longer]
    assert await store.delete(name) == 4
    assert s3.keys(bucket, "versions") == [longer]
    await store.close()


async def test_what_only_versions_are_left_of_is_listed_too(s3: S3Server, name: str, tmp_path: Path) -> None:
    """As where somebody deleted a file by hand, in a bucket that keeps versions."""
    bucket = s3.bucket(f"hidden-{next(_numbers)}", "a", versions=True)
    store, other = BucketStore(bucket), name.replace("client", "counselor")
    for one in (name, other):
        await store.put(one, file(tmp_path, b"one"))
    s3.raw("DELETE", f"/{bucket.name}/a/{name}")
    assert {(one.name, one.size_bytes) async for one in store.every()} == {(name, 0), (other, 3)}
    await store.delete(name)
    assert await names(store) == [other]
    await store.close()


async def test_more_versions_than_one_page_go_too(
    s3: S3Server, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recordings.store_s3.PAGE", 2)
    bucket = s3.bucket(f"pages-{next(_numbers)}", versions=True)
    store = BucketStore(bucket)
    for number in range(5):
        await store.put(name, file(tmp_path, str(number).encode()))
    assert await store.delete(name) == 5
    assert s3.keys(bucket, "versions") == []
    await store.close()


async def test_uploads_that_were_never_finished_are_ended(s3: S3Server, name: str, tmp_path: Path) -> None:
    bucket = s3.bucket(f"uploads-{next(_numbers)}", "a")
    store = BucketStore(bucket)
    other = name.replace("client", "counselor")
    for key in (f"a/{name}", f"a/{other}", f"b/{name}"):
        s3.begin_upload(bucket, key)
    await store.put(name, file(tmp_path, b"whole"))
    assert s3.keys(bucket, "uploads") == [f"a/{other}", f"b/{name}"]
    assert await store.delete(other) == 1
    assert s3.keys(bucket, "uploads") == [f"b/{name}"]
    s3.begin_upload(bucket, f"a/{other}")
    # This server says of every upload that it was begun in November 2010.
    assert await store.sweep(before=datetime(2010, 1, 1, tzinfo=UTC)) == 0
    assert await store.sweep(before=datetime(2011, 1, 1, tzinfo=UTC)) == 1
    assert s3.keys(bucket, "uploads") == [f"b/{name}"], "what lies outside of our prefix is not ours"
    await store.close()


@pytest.mark.parametrize("prefix", ["", "a"])
async def test_uploads_of_other_programs_go_on(s3: S3Server, name: str, prefix: str) -> None:
    bucket = s3.bucket(f"shared-{next(_numbers)}", prefix)
    store, before = BucketStore(bucket), f"{prefix}/" if prefix else ""
    for key in (f"{before}{name}", f"{before}backup.tar", f"{before}other/client.webm.age"):
        s3.begin_upload(bucket, key)
    assert await store.sweep(before=datetime(2011, 1, 1, tzinfo=UTC)) == 1
    assert s3.keys(bucket, "uploads") == [f"{before}backup.tar", f"{before}other/client.webm.age"]
    await store.close()


async def test_a_wrong_secret_opens_nothing_and_is_not_told(s3: S3Server, name: str, tmp_path: Path) -> None:
    right = s3.bucket(f"secret-{next(_numbers)}")
    wrong = BucketStore(Bucket(right.name, "", right.endpoint, right.region, right.key, "hidden-word"))
    for asked in (wrong.size(name), wrong.delete(name), wrong.put(name, file(tmp_path, b"x"))):
        with pytest.raises(StoreFailed) as refused:
            await asked
        assert "hidden-word" not in str(refused.value)
    await wrong.close()


async def test_a_bucket_that_is_not_there_fails_in_our_words(s3: S3Server, name: str) -> None:
    gone = BucketStore(Bucket("no-such-bucket", "", s3.url, "us-east-1", s3.key, s3.secret))
    with pytest.raises(StoreFailed):
        await gone.delete(name)
    with pytest.raises(StoreFailed):
        await names(gone)
    await gone.close()


async def test_a_server_that_is_down_fails_soon(name: str, tmp_path: Path) -> None:
    down = BucketStore(Bucket("bucket", "", "http://127.0.0.1:9", "us-east-1", "k", "s"))
    with pytest.raises(StoreFailed):
        await down.put(name, file(tmp_path, b"x"))
    with pytest.raises(StoreFailed):
        await down.size(name)
    await down.close()


# A directory


async def test_nobody_else_can_look_into_the_directory(name: str, tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "stored")
    await store.put(name, file(tmp_path, b"x"))
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "stored").glob("**/")} == {0}


async def test_what_a_writer_left_that_died_is_swept(name: str, tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "stored")
    await store.put(name, file(tmp_path, b"x"))
    draft = (tmp_path / "stored" / name).with_name(f"{DRAFT}client.webm.age.0123")
    draft.write_bytes(b"half")
    assert await names(store) == [name]
    assert await store.sweep(before=datetime.now(UTC) - timedelta(days=1)) == 0
    assert await store.sweep(before=datetime.now(UTC) + timedelta(days=1)) == 1
    assert not draft.exists()
    draft.write_bytes(b"half")
    assert await store.delete(name) == 2
    assert not draft.parent.exists()


async def test_another_file_system_is_copied_to(name: str, tmp_path: Path) -> None:
    store, source = LocalStore(tmp_path / "stored"), Path("/dev/shm") / f"teduh-{os.getpid()}"
    source.write_bytes(b"from afar")
    try:
        await store.put(name, source)
    finally:
        source.unlink()
    assert await store.read(name, 0, 100) == b"from afar"


async def test_a_directory_that_cannot_be_written_fails_in_our_words(name: str, tmp_path: Path) -> None:
    (tmp_path / "stored").write_bytes(b"a file stands in the way")
    with pytest.raises(StoreFailed):
        await LocalStore(tmp_path / "stored").put(name, file(tmp_path, b"x"))


async def test_a_disk_that_cannot_be_looked_at_fails_in_our_words(name: str, tmp_path: Path) -> None:
    """As one that belongs to somebody else; of a name that is too long nobody can tell either."""
    with pytest.raises(StoreFailed):
        await LocalStore(tmp_path / ("x" * 300), mounted=True).size(name)


async def test_a_disk_that_is_away_is_neither_made_nor_read_as_empty(name: str, tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "disk", mounted=True)
    for doing in (
        store.put(name, file(tmp_path, b"x")),
        store.size(name),
        store.read(name, 0, 1),
        store.delete(name),
        names(store),
        store.sweep(before=datetime.now(UTC)),
    ):
        with pytest.raises(StoreFailed):
            await doing
    assert not (tmp_path / "disk").exists()
    (tmp_path / "disk").mkdir()
    await store.put(name, file(tmp_path, b"x"))
    assert await names(store) == [name]
