"""How the place of recordings is read from one setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.bucket import Bucket, place


def test_a_directory_is_a_directory() -> None:
    assert place("file:///mnt/big%20disk") == Path("/mnt/big disk")


def test_a_bucket_is_read_with_all_its_parts() -> None:
    found = place("s3://AKID:se%2Fcr%2Bet@rekaman/a/b?endpoint=https://minio.example.org:9000/&region=id-1")
    assert found == Bucket("rekaman", "a/b", "https://minio.example.org:9000", "id-1", "AKID", "se/cr+et")


def test_without_an_endpoint_it_is_amazons() -> None:
    found = place("s3://k:s@bucket?region=ap-southeast-3")
    assert isinstance(found, Bucket)
    assert found.endpoint == "https://s3.ap-southeast-3.amazonaws.com"
    assert found.prefix == ""


def test_its_words_hold_no_secret() -> None:
    found = place("s3://AKID:hidden@bucket/x?endpoint=http://localhost:1")
    assert "hidden" not in repr(found)
    assert str(found) == "http://localhost:1/bucket/x"


@pytest.mark.parametrize(
    "text",
    [
        "/mnt/disk",
        "file://host/mnt",
        "https://bucket",
        "s3://bucket",
        "s3://key@bucket",
        "s3://k:hidden@Bucket",
        "s3://k:hidden@",
        "s3://k:hidden@bucket/a//b",
        "s3://k:hidden@bucket/a b",
        "s3://k:hidden@bucket?acl=public",
        "s3://k:hidden@bucket?endpoint=minio:9000",
        "s3://k:hidden@bucket?endpoint=ftp://minio",
        "s3://k:hidden@bucket?endpoint=https://u:p@minio",
    ],
)
def test_what_does_not_fit_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=r"^it( |s )") as refused:
        place(text)
    assert "hidden" not in str(refused.value)
