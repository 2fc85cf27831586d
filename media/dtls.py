# ruff: noqa: SLF001  # the one file that may touch private names of aiortc and pylibsrtp
"""DTLS-SRTP (RFC 5764): the handshake, the keys, and SRTP in place.

The only file that touches private names of aiortc and pylibsrtp; both are pinned to a compatible
range and ``tests/media/test_dtls.py`` fails plainly when a release moves them.

aiortc's package imports PyAV with its codecs, which the process that holds the media port must
not load (a decoder is the largest attack surface there is). So its DTLS module is loaded here
without running the package's ``__init__``, and an empty ``av`` stands in for the one name that
``aiortc.rtp`` imports for a function the relay never calls. Both are gone from ``sys.modules``
afterwards: an ``import aiortc`` elsewhere is the whole, real package.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import importlib.util
import sys
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pylibsrtp
from OpenSSL import SSL
from pylibsrtp._binding import ffi, lib

if TYPE_CHECKING:
    from aiortc import rtcdtlstransport as aiortc_dtls
else:

    def _load_aiortc_dtls() -> types.ModuleType:
        spec = importlib.util.find_spec("aiortc")
        if spec is None or spec.submodule_search_locations is None:
            raise ImportError("aiortc is not installed: run `make setup`.")
        package = types.ModuleType("aiortc")
        package.__path__ = list(spec.submodule_search_locations)
        package.__spec__ = spec
        av = types.ModuleType("av")
        av.AudioFrame = type("AudioFrame", (), {})
        hidden = {
            name: sys.modules.pop(name)
            for name in [*sys.modules]
            if name in ("aiortc", "av") or name.startswith("aiortc.")
        }
        sys.modules |= {"aiortc": package, "av": av}
        try:
            return importlib.import_module("aiortc.rtcdtlstransport")
        finally:
            for name in [*sys.modules]:
                if name in ("aiortc", "av") or name.startswith("aiortc."):
                    del sys.modules[name]
            sys.modules |= hidden

    aiortc_dtls = _load_aiortc_dtls()

HANDSHAKE_TIMEOUT_S = 10.0
QUEUED_DATAGRAMS = 64
REPLAY_WINDOW = 1024

# What the server prefers of the profiles that the client offers (RFC 5764, 4.1.2). GCM costs the
# least CPU, which counts where many packets flow. In voice mode each byte counts more: the tag of
# SHA1_80, which every WebRTC endpoint must have (RFC 8827, 6.5), has 10 bytes, GCM's 16.
_PROFILES = tuple(aiortc_dtls.SRTP_PROFILES)
_PROFILES_SHORT_TAG = tuple(sorted(_PROFILES, key=lambda p: p is not aiortc_dtls.SRTP_AES128_CM_SHA1_80))

# libsrtp's own functions, each (session, buffer, int* length) -> 0 when it worked; they change the
# buffer in place. The buffer must have SRTP_SLACK free bytes behind the packet.
srtp_unprotect: Callable[[Any, Any, Any], int] = lib.srtp_unprotect
srtp_protect: Callable[[Any, Any, Any], int] = lib.srtp_protect
srtcp_unprotect: Callable[[Any, Any, Any], int] = lib.srtp_unprotect_rtcp
srtcp_protect: Callable[[Any, Any, Any], int] = lib.srtp_protect_rtcp

# SRTP_MAX_TRAILER_LEN is 144 bytes, SRTCP adds a 4 byte index.
SRTP_SLACK = 160


def allocate(size: int) -> tuple[Any, memoryview, Any]:
    """Return one buffer as libsrtp sees it, as Python sees it, and an ``int*`` for lengths."""
    buffer = ffi.new("unsigned char[]", size)
    return buffer, memoryview(ffi.buffer(buffer)), ffi.new("int *")


class HandshakeFailed(Exception):
    """DTLS did not come up; the text is a short reason without addresses or keys."""


class Certificate(aiortc_dtls.RTCCertificate):
    """The server's certificate; its SSL contexts are made once and not for each leg."""

    _contexts: dict[bytes, SSL.Context] | None = None

    def _create_ssl_context(self, srtp_profiles: list[Any]) -> SSL.Context:
        if self._contexts is None:
            self._contexts = {}
        preferred = srtp_profiles[0].openssl_profile
        if preferred not in self._contexts:
            context = self._contexts[preferred] = super()._create_ssl_context(srtp_profiles)
            # Nothing but a handshake goes through it: the record buffers are given back after it.
            context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        return self._contexts[preferred]

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, as ``a=fingerprint`` writes it (RFC 8122, 5)."""
        return aiortc_dtls.certificate_digest(self._cert, "sha-256")


def generate_certificate() -> Certificate:
    """Make a fresh self-signed ECDSA P-256 certificate, good for 30 days."""
    return Certificate.generateCertificate()


class _Transport(aiortc_dtls.RTCDtlsTransport):
    """aiortc's transport, with sending sessions that never encrypt two payloads under one nonce."""

    def _setup_srtp(self) -> None:
        """Make the sessions as aiortc does, each once, and the sending one with ``allow_repeat_tx`` off."""
        if self._ssl is None:
            return
        chosen = self._ssl.get_selected_srtp_profile()
        profile = next((p for p in aiortc_dtls.SRTP_PROFILES if p.openssl_profile == chosen), None)
        if profile is None:
            self._set_state(aiortc_dtls.State.FAILED)
            return
        keys = self._ssl.export_keying_material(
            b"EXTRACTOR-dtls_srtp", 2 * (profile.key_length + profile.salt_length)
        )
        server = self._role == "server"

        def session(whose: int, direction: int) -> pylibsrtp.Session:
            policy = pylibsrtp.Policy(
                key=profile.get_key_and_salt(keys, whose),
                ssrc_type=direction,
                srtp_profile=profile.libsrtp_profile,
            )
            policy.allow_repeat_tx = False
            policy.window_size = REPLAY_WINDOW
            return pylibsrtp.Session(policy)

        self._rx_srtp = session(0 if server else 1, pylibsrtp.Policy.SSRC_ANY_INBOUND)
        self._tx_srtp = session(1 if server else 0, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)


_OVER = (aiortc_dtls.State.CLOSED, aiortc_dtls.State.FAILED)


class _Wire:
    """What ``RTCDtlsTransport`` needs of an ICE transport: datagrams in and out."""

    role = "controlled"

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUED_DATAGRAMS)
        self.send = send

    async def _recv(self) -> bytes:
        data = await self.queue.get()
        if data is None:
            raise ConnectionError
        return data

    async def _send(self, data: bytes) -> None:
        self.send(data)


class DtlsSession:
    """One DTLS association, server side. ``rx`` and ``tx`` are libsrtp sessions once it is up."""

    def __init__(self, certificate: Certificate, send: Callable[[bytes], None]) -> None:
        self._wire = _Wire(send)
        self._transport = _Transport(self._wire, [certificate])  # type: ignore[arg-type]  # duck-typed ICE transport
        self._transport._set_role("server")
        self.rx: Any = None
        self.tx: Any = None

    def feed(self, datagram: bytes) -> bool:
        """Queue one DTLS datagram; False when the queue is full and it was dropped."""
        try:
            self._wire.queue.put_nowait(datagram)
        except asyncio.QueueFull:
            return False
        return True

    def prefer_short_tags(self, *, prefer: bool) -> None:
        """Say before the handshake whether bytes count more than CPU, as they do in voice mode."""
        self._transport._srtp_profiles = list(_PROFILES_SHORT_TAG if prefer else _PROFILES)

    async def handshake(self, fingerprints: tuple[tuple[str, str], ...]) -> None:
        """Shake hands with whoever shows one of the certificates that the answer named.

        ``fingerprints`` are (hash name, digest) pairs. Raises ``HandshakeFailed``.
        """
        parameters = aiortc_dtls.RTCDtlsParameters(
            fingerprints=[
                aiortc_dtls.RTCDtlsFingerprint(algorithm=name, value=value) for name, value in fingerprints
            ],
            role="client",
        )
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                await self._transport.start(parameters)
        except TimeoutError:
            raise HandshakeFailed("timeout") from None
        if self._transport.state != "connected":
            raise HandshakeFailed("handshake")
        self.rx = self._transport._rx_srtp._srtp[0]
        self.tx = self._transport._tx_srtp._srtp[0]

    @property
    def ended(self) -> bool:
        """Whether the other side closed the association (close_notify)."""
        return self._transport._state in _OVER

    async def close(self) -> None:
        """Say close_notify and end. Idempotent; the libsrtp sessions live on until this is dropped."""
        self.rx = self.tx = None
        await self._transport.stop()
