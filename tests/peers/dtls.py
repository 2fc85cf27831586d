"""The peer's own DTLS client (RFC 6347) with its SRTP keys (RFC 5764): sans-IO, datagrams in and out.

``DtlsClient.start()`` and ``feed()`` return the datagrams to send; the caller calls ``on_timer()``
after ``timeout_s()`` seconds until ``keys`` is set.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import enum
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

_CIPHERS = b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305"
_EXPORTER_LABEL = b"EXTRACTOR-dtls_srtp"
_DATAGRAM_BYTES = 1500
_DIGESTS: dict[str, type[hashes.HashAlgorithm]] = {
    "sha-256": hashes.SHA256,
    "sha-384": hashes.SHA384,
    "sha-512": hashes.SHA512,
}


class SrtpProfile(enum.Enum):
    """A protection profile: its OpenSSL name, key and salt length in bytes (RFC 5764, RFC 7714)."""

    AES128_CM_SHA1_80 = (b"SRTP_AES128_CM_SHA1_80", 16, 14)
    AEAD_AES_128_GCM = (b"SRTP_AEAD_AES_128_GCM", 16, 12)
    AEAD_AES_256_GCM = (b"SRTP_AEAD_AES_256_GCM", 32, 12)

    @property
    def key_bytes(self) -> int:
        """Length of the master key."""
        return self.value[1]

    @property
    def salt_bytes(self) -> int:
        """Length of the master salt."""
        return self.value[2]


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """Master key and salt of each direction, as seen by the DTLS client."""

    profile: SrtpProfile
    sending: bytes
    receiving: bytes


class Certificate:
    """A self-signed certificate, as each browser makes one for itself."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test peer")])
        now = dt.datetime.now(tz=dt.UTC)
        self.x509 = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=30))
            .sign(self.key, hashes.SHA256())
        )

    def fingerprint(self) -> str:
        """The value of ``a=fingerprint`` (RFC 8122), with its algorithm."""
        return f"sha-256 {digest(self.x509, 'sha-256')}"


def digest(certificate: x509.Certificate, algorithm: str) -> str:
    """Colon-separated upper-case hex of the certificate's hash. Raises KeyError if unknown."""
    return certificate.fingerprint(_DIGESTS[algorithm.lower()]()).hex(":").upper()


class HandshakeFailed(Exception):
    """The server's DTLS did not fit: an alert, or another certificate than the offer said."""


class DtlsClient:
    """One DTLS association of the peer, in the client's role (``a=setup:active``)."""

    def __init__(
        self,
        certificate: Certificate,
        *,
        profiles: tuple[SrtpProfile, ...],
        fingerprint: str,
    ) -> None:
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_options(SSL.OP_NO_TICKET)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_arguments: True)
        context.use_certificate(certificate.x509)
        context.use_privatekey(certificate.key)
        context.set_cipher_list(_CIPHERS)
        context.set_tlsext_use_srtp(b":".join(profile.value[0] for profile in profiles))
        self._connection = SSL.Connection(context)
        self._connection.set_connect_state()
        self._fingerprint = fingerprint
        self._started = False
        self.keys: SrtpKeys | None = None

    @property
    def started(self) -> bool:
        """Whether the first flight was made."""
        return self._started

    def start(self) -> list[bytes]:
        """Begin the handshake; returns the first flight."""
        self._started = True
        return self._go_on()

    def feed(self, datagram: bytes) -> list[bytes]:
        """Take a datagram of the server; returns the answer. Raises HandshakeFailed."""
        self._connection.bio_write(datagram)
        if self.keys is None:
            return self._go_on()
        with contextlib.suppress(SSL.Error):
            self._connection.recv(_DATAGRAM_BYTES)
        return self._outgoing()

    def timeout_s(self) -> float | None:
        """Seconds until a flight has to be sent again, None when nothing waits."""
        return self._connection.DTLSv1_get_timeout()

    def on_timer(self) -> list[bytes]:
        """Send the last flight again."""
        self._connection.DTLSv1_handle_timeout()
        return self._outgoing()

    def close(self) -> list[bytes]:
        """Say goodbye (close_notify); returns the alert."""
        if self.keys is not None:
            with contextlib.suppress(SSL.Error):
                self._connection.shutdown()
        return self._outgoing()

    def _go_on(self) -> list[bytes]:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return self._outgoing()
        except SSL.Error as error:
            raise HandshakeFailed(str(error)) from error
        self._check_fingerprint()
        self.keys = self._export()
        return self._outgoing()

    def _check_fingerprint(self) -> None:
        shown = self._connection.get_peer_certificate(as_cryptography=True)
        algorithm, _, expected = self._fingerprint.partition(" ")
        if shown is None or digest(shown, algorithm) != expected.strip().upper():
            raise HandshakeFailed("the server's certificate is not the one of its offer")

    def _export(self) -> SrtpKeys:
        chosen = self._connection.get_selected_srtp_profile()
        profile = next((each for each in SrtpProfile if each.value[0] == chosen), None)
        if profile is None:
            raise HandshakeFailed("no SRTP profile was agreed")
        key, salt = profile.key_bytes, profile.salt_bytes
        material = self._connection.export_keying_material(_EXPORTER_LABEL, 2 * (key + salt))
        client = material[:key] + material[2 * key : 2 * key + salt]
        server = material[key : 2 * key] + material[2 * key + salt :]
        return SrtpKeys(profile, sending=client, receiving=server)

    def _outgoing(self) -> list[bytes]:
        datagrams: list[bytes] = []
        while True:
            try:
                datagrams.append(self._connection.bio_read(_DATAGRAM_BYTES))
            except SSL.Error:
                return datagrams
