"""The peer's own SRTP contexts, up to the largest packet that fits a datagram of 1,500 bytes.

``pylibsrtp.Session`` stops at 1,356 bytes (its buffer less the largest trailer), so packets at the
server's limit are made through its binding, in a buffer of this module.
"""

from __future__ import annotations

from pylibsrtp import Policy, Session
from pylibsrtp._binding import ffi, lib

from tests.peers.dtls import SrtpKeys, SrtpProfile

BUFFER_BYTES = 2048
TRAILER_BYTES = 16
_REPLAY_WINDOW = 1024
_POLICIES = {
    SrtpProfile.AES128_CM_SHA1_80: Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    SrtpProfile.AEAD_AES_128_GCM: Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    SrtpProfile.AEAD_AES_256_GCM: Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
}


class SrtpError(Exception):
    """A packet that does not verify, was seen before, or cannot be protected."""


class SrtpContexts:
    """Both directions of one DTLS association."""

    def __init__(self, keys: SrtpKeys) -> None:
        self.profile = keys.profile
        profile = _POLICIES[keys.profile]
        self._sending = Session(_policy(keys.sending, Policy.SSRC_ANY_OUTBOUND, profile))
        self._receiving = Session(_policy(keys.receiving, Policy.SSRC_ANY_INBOUND, profile))
        self._cdata = ffi.new("unsigned char[]", BUFFER_BYTES)
        self._view = memoryview(ffi.buffer(self._cdata))
        self._length = ffi.new("int *")

    def protect(self, packet: bytes) -> bytes:
        """RTP to SRTP. Raises SrtpError."""
        return self._run(lib.srtp_protect, self._sending, packet)

    def protect_rtcp(self, packet: bytes) -> bytes:
        """RTCP to SRTCP. Raises SrtpError."""
        return self._run(lib.srtp_protect_rtcp, self._sending, packet)

    def unprotect(self, packet: bytes) -> bytes:
        """SRTP to RTP. Raises SrtpError."""
        return self._run(lib.srtp_unprotect, self._receiving, packet)

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        """SRTCP to RTCP. Raises SrtpError."""
        return self._run(lib.srtp_unprotect_rtcp, self._receiving, packet)

    def _run(self, function: object, session: Session, packet: bytes) -> bytes:
        assert callable(function)
        if len(packet) > BUFFER_BYTES - 160:
            raise SrtpError("the packet is too long")
        self._view[: len(packet)] = packet
        self._length[0] = len(packet)
        status = function(session._srtp[0], self._cdata, self._length)
        if status:
            raise SrtpError(f"libsrtp status {status}")
        return bytes(self._view[: self._length[0]])


def _policy(key: bytes, ssrc_type: int, profile: int) -> Policy:
    policy = Policy(key=key, ssrc_type=ssrc_type, srtp_profile=profile)
    policy.window_size = _REPLAY_WINDOW
    return policy
