"""A DTLS-SRTP client without I/O (RFC 5764), through pyOpenSSL's public interface alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from pylibsrtp import Policy, Session

MTU = 1200
PROFILES = {
    b"SRTP_AEAD_AES_128_GCM": (Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12),
    b"SRTP_AES128_CM_SHA1_80": (Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14),
}


@dataclass(frozen=True)
class Identity:
    """A certificate with its key and its fingerprint (RFC 8122)."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    fingerprint: str


def make_identity() -> Identity:
    """Make a self-signed P-256 certificate, as a browser does."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return Identity(certificate, key, certificate.fingerprint(hashes.SHA256()).hex(":").upper())


def make_context(identity: Identity, *, profiles: tuple[bytes, ...] = tuple(PROFILES)) -> SSL.Context:
    """Make the DTLS context that all peers of a process share."""
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    context.use_certificate(identity.certificate)
    context.use_privatekey(identity.key)
    context.set_tlsext_use_srtp(b":".join(profiles))
    return context


class Handshake:
    """One DTLS handshake as the client: datagrams in, datagrams out."""

    def __init__(self, context: SSL.Context) -> None:
        self._connection = SSL.Connection(context)
        self._connection.set_connect_state()
        self._connection.set_ciphertext_mtu(MTU)
        self.connected = False

    def advance(self, datagram: bytes = b"") -> list[bytes]:
        """Take a datagram (none at the start) and return those to send."""
        if datagram:
            self._connection.bio_write(datagram)
        if not self.connected:
            try:
                self._connection.do_handshake()
                self.connected = True
            except SSL.WantReadError:
                pass
        return self._flight()

    def retransmit(self) -> list[bytes]:
        """Return what the handshake's own timer wants sent again by now."""
        if self.connected:
            return []
        self._connection.DTLSv1_handle_timeout()
        return self._flight()

    def fingerprint(self) -> str:
        """Return the server certificate's SHA-256 fingerprint."""
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        if certificate is None:
            raise RuntimeError("the server showed no certificate")
        return certificate.fingerprint(hashes.SHA256()).hex(":").upper()

    def sessions(self) -> tuple[Session, Session]:
        """Make the SRTP sessions for sending and for receiving from the exported keys."""
        profile, key_size, salt_size = PROFILES[self._connection.get_selected_srtp_profile()]
        material = self._connection.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key_size + salt_size))
        keys, salts = material[: 2 * key_size], material[2 * key_size :]
        mine = keys[:key_size] + salts[:salt_size]
        theirs = keys[key_size:] + salts[salt_size:]
        return (
            Session(Policy(key=mine, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile)),
            Session(Policy(key=theirs, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=profile)),
        )

    def _flight(self) -> list[bytes]:
        """Cut what OpenSSL wrote into datagrams at record borders (RFC 6347, 4.1)."""
        written = b""
        while True:
            try:
                written += self._connection.bio_read(65536)
            except SSL.WantReadError:
                break
        datagrams: list[bytes] = []
        at = 0
        while at < len(written):
            end = at + 13 + int.from_bytes(written[at + 11 : at + 13], "big")
            record = written[at:end]
            if datagrams and len(datagrams[-1]) + len(record) <= MTU:
                datagrams[-1] += record
            else:
                datagrams.append(record)
            at = end
        return datagrams
