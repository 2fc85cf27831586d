# ruff: noqa: SLF001  # the one file that may touch private names of aiortc and pylibsrtp
"""DTLS-SRTP (RFC 5764): the handshake, the keys, and SRTP in place. Sans-IO: datagrams in, datagrams out.

OpenSSL shakes hands, aiortc has the certificate, the settings of its contexts and the SRTP profiles,
pylibsrtp the sessions. This is the only file that touches private names of aiortc and pylibsrtp; both are
pinned to a compatible range and ``tests/media/test_dtls.py`` fails plainly when a release moves them.

aiortc's own transport is not used: a task, a queue and several turns of the loop for each leg cost as
much as the handshake itself.

aiortc's package imports PyAV with its codecs, which the process that holds the media port must
not load (a decoder is the largest attack surface there is). So its DTLS module is loaded here
without running the package's ``__init__``, and an empty ``av`` stands in for the one name that
``aiortc.rtp`` imports for a function the relay never calls. Both are gone from ``sys.modules``
afterwards: an ``import aiortc`` elsewhere is the whole, real package.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import importlib.util
import sys
import types
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pylibsrtp
from OpenSSL import SSL
from OpenSSL.crypto import FILETYPE_ASN1, X509, dump_certificate
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
REPLAY_WINDOW = 1024
DATAGRAM_BYTES = 1200
RECORD_HEADER = 13  # RFC 6347, 4.1
READ_BYTES = 1 << 14

# What the server prefers of the profiles that the client offers (RFC 5764, 4.1.2). GCM costs the
# least CPU, which counts where many packets flow. In voice mode each byte counts more: the tag of
# SHA1_80, which every WebRTC endpoint must have (RFC 8827, 6.5), has 10 bytes, GCM's 16.
_PROFILES = tuple(aiortc_dtls.SRTP_PROFILES)
_BY_NAME = {profile.openssl_profile: profile for profile in _PROFILES}
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


class DtlsSession:
    """One DTLS association, server side; whoever has it calls ``look`` ten times a second.

    ``rx`` and ``tx`` are libsrtp sessions once it is up, None before that and after the end.
    """

    def __init__(self, certificate: Certificate, send: Callable[[bytes], None]) -> None:
        self._certificate = certificate
        self._send = send
        self._profiles = _PROFILES
        self._fingerprints: tuple[tuple[str, str], ...] = ()
        self._connection: SSL.Connection | None = None
        self._began_at = 0.0
        # The owners of ``rx`` and ``tx``: with them the libsrtp sessions go.
        self._sessions: tuple[pylibsrtp.Session, ...] = ()
        self.rx: Any = None
        self.tx: Any = None
        self.ended = False

    def prefer_short_tags(self, *, prefer: bool) -> None:
        """Say before the handshake whether bytes count more than CPU, as they do in voice mode."""
        self._profiles = _PROFILES_SHORT_TAG if prefer else _PROFILES

    def start(self, fingerprints: tuple[tuple[str, str], ...], now: float) -> None:
        """Wait for whoever shows one of the certificates that the answer named.

        ``fingerprints`` are (hash name, digest) pairs; ``now`` is monotonic seconds.
        """
        self._fingerprints = fingerprints
        self._began_at = now
        self._connection = SSL.Connection(self._certificate._create_ssl_context([*self._profiles]))
        self._connection.set_accept_state()

    def feed(self, datagram: bytes) -> None:
        """Take a DTLS datagram, and answer it. Raises ``HandshakeFailed``.

        Afterwards ``rx`` may be there, or ``ended`` be true: the other side closed (close_notify).
        """
        if self._connection is None or self.ended:
            return
        self._connection.bio_write(datagram)
        try:
            if self.rx is None:
                self._connection.do_handshake()
                self._set_up(self._connection)
            # Alerts, and what is sent again because our last flight was lost. Data is for nobody.
            while self._connection.recv(READ_BYTES):
                pass
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.ended = True
        except SSL.Error:
            # Once the keys are there, media does without DTLS, and anybody may have sent this.
            if self.rx is None:
                raise HandshakeFailed("handshake") from None
        finally:
            self._flush(self._connection)

    def look(self, now: float) -> None:
        """Send again what was lost (RFC 6347, 4.2.4). Raises ``HandshakeFailed`` when it took too long."""
        if self._connection is None or self.rx is not None:
            return
        if now - self._began_at >= HANDSHAKE_TIMEOUT_S:
            raise HandshakeFailed("timeout")
        with contextlib.suppress(SSL.Error):
            self._connection.DTLSv1_handle_timeout()
        self._flush(self._connection)

    def close(self) -> None:
        """Say close_notify and end. Idempotent."""
        connection, self._connection = self._connection, None
        self.rx = self.tx = None
        if connection is not None:
            with contextlib.suppress(SSL.Error):
                connection.shutdown()
            self._flush(connection)

    def _flush(self, connection: SSL.Connection) -> None:
        with contextlib.suppress(SSL.Error):
            while written := connection.bio_read(READ_BYTES):
                for datagram in _datagrams(written):
                    self._send(datagram)

    def _set_up(self, connection: SSL.Connection) -> None:
        """Check the certificate and make the SRTP sessions. Raises ``HandshakeFailed``."""
        shown = connection.get_peer_certificate()
        if shown is None or not _fits(shown, self._fingerprints):
            raise HandshakeFailed("fingerprint")
        profile = _BY_NAME.get(connection.get_selected_srtp_profile())
        if profile is None:
            raise HandshakeFailed("no SRTP profile")
        keys = connection.export_keying_material(
            b"EXTRACTOR-dtls_srtp", 2 * (profile.key_length + profile.salt_length)
        )
        self._sessions = (
            _session(profile, keys, 0, pylibsrtp.Policy.SSRC_ANY_INBOUND),
            _session(profile, keys, 1, pylibsrtp.Policy.SSRC_ANY_OUTBOUND),
        )
        self.rx, self.tx = (session._srtp[0] for session in self._sessions)


def _fits(shown: X509, fingerprints: tuple[tuple[str, str], ...]) -> bool:
    """Tell whether all fingerprints of a hash that we know are this certificate's, and there is one."""
    known = [(name, value) for name, value in fingerprints if name in aiortc_dtls.X509_DIGEST_ALGORITHMS]
    der = dump_certificate(FILETYPE_ASN1, shown)
    return bool(known) and all(
        hashlib.new(name.replace("-", ""), der).digest().hex(":").upper() == value for name, value in known
    )


def _session(profile: Any, keys: bytes, whose: int, direction: int) -> pylibsrtp.Session:  # noqa: ANN401  # aiortc's
    """Make a libsrtp session that never encrypts two payloads under one nonce; ``whose`` 0: the client's."""
    policy = pylibsrtp.Policy(
        key=profile.get_key_and_salt(keys, whose), ssrc_type=direction, srtp_profile=profile.libsrtp_profile
    )
    policy.allow_repeat_tx = False
    policy.window_size = REPLAY_WINDOW
    return pylibsrtp.Session(policy)


def _datagrams(written: bytes) -> Iterator[bytes]:
    """Cut what OpenSSL wrote into datagrams of whole records (RFC 6347, 4.1.1)."""
    start = at = 0
    while at < len(written):
        end = at + RECORD_HEADER + int.from_bytes(written[at + 11 : at + 13], "big")
        if end - start > DATAGRAM_BYTES and at > start:
            yield written[start:at]
            start = at
        at = end
    yield written[start:]
