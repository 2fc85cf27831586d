"""A keyring behind a socket: as the one in the process, and its errors arrive as they were."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.config import Config
from core.errors import ConfigError, InvalidState, TooMany
from core.keyd import LINE_BYTES, KeydKeys, Unreachable, serve
from core.keyring import KeyBroken, KeyMissing, KeyringError, Wrapped
from core.keyrings import keyring_for, keyring_here
from core.settings import keys as read_keys
from core.warrants import Purpose, Warrant, WarrantRefused, Warrants
from tests.fakes import FakeClock

WARRANTS = Warrants(bytes(32))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 11, 3, 9, 0, tzinfo=UTC))


@pytest.fixture
async def socket(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Path]:
    """Of a running keyd whose keys are in ``tmp_path/theirs``."""
    keys = keyring_here(Config(keys_hourly=2), tmp_path / "theirs", signer=WARRANTS.public, clock=clock)
    server = await serve(keys, tmp_path / "keyd.sock")
    async with server:
        yield tmp_path / "keyd.sock"


def warrant(clock: FakeClock, recording_id: str = "r_1") -> Warrant:
    return WARRANTS.issue(recording_id=recording_id, viewer="u_1", purpose=Purpose.REVIEW, now=clock.now())


async def test_it_wraps_unwraps_and_rewraps(socket: Path, clock: FakeClock, tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path / "ours", keys=read_keys(f"unix:{socket}"))
    keys = keyring_for(config, signer=WARRANTS.public, clock=clock)
    old = await keys.wrap(b"secret", about="r_1")
    newest = await keys.renew()
    moved = await keys.rewrap(old)
    assert await keys.held() == {old.key_id, newest}
    await keys.drop(old.key_id)
    assert await keys.held() == {newest} == {moved.key_id}
    assert await keys.unwrap(moved, warrant(clock)) == b"secret"
    assert not config.data_dir.exists()


async def test_its_errors_arrive_as_they_were(socket: Path, clock: FakeClock, tmp_path: Path) -> None:
    keys = KeydKeys(socket)
    wrapped = await keys.wrap(b"secret", about="r_1")
    with pytest.raises(WarrantRefused) as refused:
        await keys.unwrap(wrapped, dataclasses.replace(warrant(clock), viewer="u_9"))
    assert refused.value.why == "forged"
    with pytest.raises(KeyBroken):
        await keys.unwrap(dataclasses.replace(wrapped, sealed=b"x"), warrant(clock))
    with pytest.raises(KeyMissing, match=r"2026-10\.1\.00000000"):
        await keys.unwrap(dataclasses.replace(wrapped, key_id="2026-10.1.00000000"), warrant(clock))
    with pytest.raises(InvalidState):
        await keys.drop(wrapped.key_id)
    for _ in range(2):
        await keys.unwrap(wrapped, warrant(clock))
    with pytest.raises(TooMany) as many:
        await keys.unwrap(wrapped, warrant(clock))
    assert many.value.retry_after_s == 3600
    (tmp_path / "theirs").chmod(0o755)
    with pytest.raises(ConfigError, match="chmod 700"):
        await keys.held()


async def test_what_it_did_not_foresee_reaches_nobody_as_text(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with await serve(_Failing(), tmp_path / "keyd.sock"):
        with pytest.raises(KeyringError, match="its log says why") as told:
            await KeydKeys(tmp_path / "keyd.sock").held()
    assert "the password" not in str(told.value)
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == ["keyd.failed"]


class _Failing(KeydKeys):
    def __init__(self) -> None:
        super().__init__(Path())

    async def held(self) -> set[str]:
        raise RuntimeError("the password")


@pytest.mark.parametrize(
    "line", [b"\n", b"{}\n", b'{"do":"open"}\n', b"\xff\n", b'{"do":"held"', b"x" * LINE_BYTES * 2]
)
async def test_what_is_no_question_is_no_harm(socket: Path, line: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(socket)
    writer.write(line)
    writer.write_eof()
    try:
        answer = await reader.read()
    except ConnectionError:
        answer = b""
    writer.close()
    assert b"secret" not in answer
    assert await KeydKeys(socket).held() == set()


async def test_only_user_and_group_may_connect(socket: Path) -> None:
    mode = await asyncio.to_thread(lambda: socket.stat().st_mode)
    assert mode & 0o777 == 0o660


async def test_nobody_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="is it running"):
        await KeydKeys(tmp_path / "nobody.sock").wrap(b"secret", about="r_1")


async def test_something_else_there_is_not_believed(tmp_path: Path) -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"{}\n")
        writer.close()

    keys = KeydKeys(tmp_path / "other.sock")
    async with await asyncio.start_unix_server(answer, tmp_path / "other.sock"):
        with pytest.raises(Unreachable, match="something else"):
            await keys.wrap(b"secret", about="r_1")
        with pytest.raises(Unreachable, match="something else"):
            await keys.unwrap(Wrapped("k", "r_1", b"x"), warrant(FakeClock()))
        with pytest.raises(Unreachable, match="something else"):
            await keys.renew()


async def test_it_starts_anew_over_its_own_socket_and_over_nothing_else(socket: Path, tmp_path: Path) -> None:
    again = await serve(KeydKeys(socket), socket)
    again.close()
    precious = tmp_path / "a file"
    precious.write_text("precious")
    with pytest.raises(ConfigError, match="cannot be opened"):
        await serve(KeydKeys(socket), precious)
    assert precious.read_text() == "precious"
