"""``teduh keyd``: a keyring that runs as a user, or on a host, of its own; the server reaches it by a socket.

The server cannot read the wrapping keys then, nor change the log, nor ask more often than allowed. One line
of JSON asks, one answers, for each connection one::

    {"do":"unwrap","wrapped":{"key_id":"2026-11.1.9f3c0a77","about":"r_…","sealed":"YWdl…"},"warrant":{…}}
    {"secret":"QUdFLVNF…"}  or  {"error":"warrant_refused","why":"expired","text":"This warrant has ended."}

Bytes are base64. Who may connect is said by the mode of the socket (0660) and of its directory.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import stat
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

import msgspec

from core.errors import ConfigError, InvalidState, TeduhError, TooMany
from core.keylog import LogUnwritable
from core.keyring import KeyBroken, KeyMissing, KeyringError, Keys, Wrapped
from core.warrants import Warrant, WarrantRefused

logger = logging.getLogger(__name__)

LINE_BYTES: Final = 65_536
WITHIN_S: Final = 10.0


class _Wrap(msgspec.Struct, frozen=True, tag_field="do", tag="wrap"):
    secret: bytes
    about: str


class _Unwrap(msgspec.Struct, frozen=True, tag_field="do", tag="unwrap"):
    wrapped: Wrapped
    warrant: Warrant


class _Rewrap(msgspec.Struct, frozen=True, tag_field="do", tag="rewrap"):
    wrapped: Wrapped


class _Held(msgspec.Struct, frozen=True, tag_field="do", tag="held"):
    pass


class _Renew(msgspec.Struct, frozen=True, tag_field="do", tag="renew"):
    pass


class _Drop(msgspec.Struct, frozen=True, tag_field="do", tag="drop"):
    key_id: str


_Asked = _Wrap | _Unwrap | _Rewrap | _Held | _Renew | _Drop


class _Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    wrapped: Wrapped | None = None
    secret: bytes | None = None
    ids: list[str] | None = None
    error: str | None = None
    text: str = ""
    why: str = ""
    retry_after_s: float = 0.0


_PASSED_ON: Final = (KeyMissing, KeyBroken, LogUnwritable, InvalidState, ConfigError)


class Unreachable(KeyringError):
    """``teduh keyd`` does not answer."""

    code = "keyd_unreachable"


async def serve(keys: Keys, path: Path) -> asyncio.Server:
    """Answer on a socket from now on. Raises ``ConfigError`` when there is no place for it."""
    try:
        _clear(path)
        before = os.umask(0o117)
        try:
            return await asyncio.start_unix_server(
                lambda reader, writer: _talk(keys, reader, writer), path, limit=LINE_BYTES
            )
        finally:
            os.umask(before)
    except OSError as error:
        raise ConfigError(f"The socket {path} cannot be opened: {error.strerror}.") from None


def _clear(path: Path) -> None:
    """Take away the socket of a process that is gone; anything else stays."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.stat().st_mode):
            path.unlink()


async def _talk(keys: Keys, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        async with asyncio.timeout(WITHIN_S):
            writer.write(msgspec.json.encode(await _answer(keys, await reader.readline())) + b"\n")
            await writer.drain()
    except (OSError, ValueError, TimeoutError):
        logger.warning("keyd.gone")
    finally:
        writer.close()


async def _answer(keys: Keys, line: bytes) -> _Answer:
    try:
        asked = msgspec.json.decode(line, type=_Asked)
    except msgspec.MsgspecError:
        return _Answer(error="malformed", text="This is not what keyd is asked.")
    try:
        return await _do(keys, asked)
    except TooMany as error:
        return _Answer(error=error.code, text=str(error), retry_after_s=error.retry_after_s)
    except WarrantRefused as error:
        return _Answer(error=error.code, text=str(error), why=error.why)
    except TeduhError as error:
        return _Answer(error=error.code, text=str(error))
    except Exception:  # what is unforeseen reaches nobody as text
        logger.exception("keyd.failed")
        return _Answer(error="error", text="teduh keyd failed; its log says why.")


async def _do(keys: Keys, asked: _Asked) -> _Answer:
    match asked:
        case _Wrap(secret, about):
            return _Answer(wrapped=await keys.wrap(secret, about=about))
        case _Unwrap(wrapped, warrant):
            return _Answer(secret=await keys.unwrap(wrapped, warrant))
        case _Rewrap(wrapped):
            return _Answer(wrapped=await keys.rewrap(wrapped))
        case _Held():
            return _Answer(ids=sorted(await keys.held()))
        case _Renew():
            return _Answer(ids=[await keys.renew()])
        case _Drop(key_id):
            await keys.drop(key_id)
            return _Answer()


class KeydKeys:
    """The other end: a keyring that asks ``teduh keyd``. Raises what is raised there, or ``Unreachable``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def wrap(self, secret: bytes, *, about: str) -> Wrapped:
        """Have a secret wrapped."""
        return _wrapped(await self._ask(_Wrap(secret, about)))

    async def unwrap(self, wrapped: Wrapped, warrant: Warrant) -> bytes:
        """Have a secret unwrapped."""
        secret = (await self._ask(_Unwrap(wrapped, warrant))).secret
        if secret is None:
            raise Unreachable("teduh keyd answers something else.")
        return secret

    async def rewrap(self, wrapped: Wrapped) -> Wrapped:
        """Have a secret wrapped anew."""
        return _wrapped(await self._ask(_Rewrap(wrapped)))

    async def held(self) -> AbstractSet[str]:
        """Ask for the ids of all keys."""
        return set((await self._ask(_Held())).ids or [])

    async def renew(self) -> str:
        """Have another key made."""
        ids = (await self._ask(_Renew())).ids
        if not ids:
            raise Unreachable("teduh keyd answers something else.")
        return ids[0]

    async def drop(self, key_id: str) -> None:
        """Have a key destroyed."""
        await self._ask(_Drop(key_id))

    async def _ask(self, asked: _Asked) -> _Answer:
        try:
            async with asyncio.timeout(WITHIN_S):
                reader, writer = await asyncio.open_unix_connection(self._path, limit=LINE_BYTES)
                try:
                    writer.write(msgspec.json.encode(asked) + b"\n")
                    await writer.drain()
                    line = await reader.readline()
                finally:
                    writer.close()
            answer = msgspec.json.decode(line, type=_Answer)
        except (OSError, ValueError, TimeoutError):
            raise Unreachable(f"teduh keyd does not answer at {self._path}: is it running?") from None
        if answer.error is not None:
            raise _error(answer)
        return answer


def _wrapped(answer: _Answer) -> Wrapped:
    if answer.wrapped is None:
        raise Unreachable("teduh keyd answers something else.")
    return answer.wrapped


def _error(answer: _Answer) -> TeduhError:
    if answer.error == WarrantRefused.code:
        return WarrantRefused(answer.why, answer.text)
    if answer.error == TooMany.code:
        return TooMany(answer.text, retry_after_s=answer.retry_after_s)
    kind = next((one for one in _PASSED_ON if one.code == answer.error), KeyringError)
    return kind(answer.text)
