"""HTTPS: the operator's certificate, or one of our own making for phones in the same LAN."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from core.errors import ConfigError
from core.keyfile import make_data_dir, write_once
from core.shapes import Tls

LIFE = timedelta(days=397)  # the longest that browsers take
RENEW_BEFORE = timedelta(days=30)
FILE = "self-signed.pem"


def context(tls: Tls, *, data_dir: Path, names: Sequence[str], now: datetime) -> ssl.SSLContext:
    """Make the server's TLS context; raises ``ConfigError`` when the files cannot be used."""
    found = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate = tls.certificate or self_signed(data_dir, names=names, now=now)
    try:
        found.load_cert_chain(certificate, tls.key)
    except (OSError, ssl.SSLError):
        raise ConfigError("TEDUH_TLS names a certificate and a key that do not fit together.") from None
    return found


def self_signed(data_dir: Path, *, names: Sequence[str], now: datetime) -> Path:
    """Give the file with key and certificate for these names and addresses; made anew when it must be."""
    make_data_dir(data_dir)
    path = data_dir / FILE
    if path.exists() and not _holds(path, names, now):
        path.unlink()
    if not path.exists():
        write_once(path, make(names, now=now))
    return path


def make(names: Sequence[str], *, now: datetime) -> bytes:
    """Make a key and a certificate for names and addresses, both as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "teduh")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + LIFE)
        .add_extension(x509.SubjectAlternativeName([_name(one) for one in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)


def ends_at(pem: bytes) -> datetime | None:
    """Say when a certificate in PEM ends; None for what is none."""
    try:
        return x509.load_pem_x509_certificate(pem).not_valid_after_utc
    except ValueError:
        return None


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _holds(path: Path, names: Sequence[str], now: datetime) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    return certificate.not_valid_after_utc - now > RENEW_BEFORE and {_name(one) for one in names} <= set(held)
