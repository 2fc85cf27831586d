"""How each kind of setting is read from text. Every reader raises ``ValueError`` with a sentence."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import re
from collections.abc import Callable
from email.utils import formataddr, parseaddr
from pathlib import Path
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.ageheader import KeyMalformed, Recipient
from core.db import async_url
from core.shapes import (
    IceServer,
    KeysAt,
    MediaAddress,
    Outside,
    QualityLimits,
    Smtp,
    Tls,
    Webhook,
    is_loopback,
)

EXTRA_VIDEO_CODECS = frozenset({"VP9", "H264", "AV1"})


def whole(low: int, high: int) -> Callable[[str], int]:
    """Make a reader of whole numbers between two bounds, both allowed."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise ValueError(f"it must be a whole number from {low} to {high}")
        return int(text)

    return read


def fives(low: int, high: int) -> Callable[[str], int]:
    """Make a reader of whole numbers that are multiples of five, both bounds allowed."""

    def read(text: str) -> int:
        if whole(low, high)(text) % 5:
            raise ValueError("it must be a multiple of five")
        return int(text)

    return read


def one_of(*choices: int) -> Callable[[str], int]:
    """Make a reader of a number from a short list."""

    def read(text: str) -> int:
        if text not in map(str, choices):
            raise ValueError(f"it must be one of {', '.join(map(str, choices))}")
        return int(text)

    return read


def one_word(*choices: str) -> Callable[[str], str]:
    """Make a reader of one of a few words."""

    def read(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(f"it must be {' or '.join(choices)}")
        return text.lower()

    return read


def limits(text: str) -> QualityLimits:
    """Read three limits of a line's quality: loss in percent, round trip in ms, MOS."""
    try:
        loss_pct, rtt_ms, mos = (float(part) for part in text.split(","))
    except ValueError:
        raise ValueError("it must be three numbers, such as 3,300,3.6") from None
    if not (0 <= loss_pct <= 100 and 0 <= rtt_ms <= 60_000 and 1 <= mos <= 4.5):
        raise ValueError("loss must be 0 to 100 %, the round trip 0 to 60000 ms, MOS 1 to 4.5")
    return QualityLimits(loss_pct, rtt_ms, mos)


port = whole(0, 65_535)


def flag(text: str) -> bool:
    """Read a yes or no."""
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False}
    if text.lower() not in words:
        raise ValueError("it must be 0 or 1")
    return words[text.lower()]


def secret(text: str) -> str:
    """Read a secret that others must not guess."""
    if len(text) < 16:
        raise ValueError("it must have at least 16 characters")
    return text


def key_256(text: str) -> bytes:
    """Read 32 bytes written as base64, either alphabet."""
    try:
        key = base64.b64decode(
            text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True
        )
    except binascii.Error:
        key = b""
    if len(key) != 32:
        raise ValueError("it must be 32 bytes as base64; `openssl rand -base64 32` makes some")
    return key


def log_level(text: str) -> str:
    """Read a level of the logging module."""
    if text.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ValueError("it must be DEBUG, INFO, WARNING or ERROR")
    return text.upper()


def hosts(text: str) -> tuple[str, ...]:
    """Read what to listen on."""
    found = _list(text)
    if not found or any(any(sign in host for sign in " /[]@") for host in found):
        raise ValueError("it must be names or addresses without brackets or ports")
    return tuple(found)


def proxies(text: str) -> frozenset[str]:
    """Read the addresses of proxies."""
    return frozenset(str(ipaddress.ip_address(entry)) for entry in _list(text))


def place(text: str) -> str:
    """Read where people are to come: one line."""
    if len(text) > 300 or not text.isprintable():
        raise ValueError("it must be one line of at most 300 characters")
    return text


def origin(text: str) -> str:
    """Read an origin (RFC 6454, 6.2): scheme, host, and a port unless it is the scheme's own."""
    parts = urlsplit(text)
    own = {"http": 80, "https": 443}
    if parts.scheme not in own or not parts.hostname or parts.username is not None:
        raise ValueError("it must look like https://teduh.example.org")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError("it must have no path: teduh lives at the root of its host")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    tail = "" if parts.port is None or parts.port == own[parts.scheme] else f":{parts.port}"
    return f"{parts.scheme}://{host}{tail}"


def telephone(text: str) -> str:
    """Read a telephone number as people write it."""
    number = " ".join(text.split())
    if re.fullmatch(r"\+?[0-9][0-9 ().-]{2,38}", number) is None:
        raise ValueError("it must be a telephone number, such as +62 21 500 454")
    return number


def web_address(text: str) -> str:
    """Read the address of a page of somebody else."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not text.isascii() or " " in text:
        raise ValueError("it must be the whole address of a page, such as https://www.bmkg.go.id/")
    return text


def origins(text: str) -> frozenset[str]:
    """Read a list of origins."""
    return frozenset(map(origin, _list(text)))


def media_addresses(text: str) -> tuple[MediaAddress, ...]:
    """Read ``address``, ``address:port``, ``v6`` or ``[v6]:port``, separated by commas."""
    return tuple(map(_media_address, _list(text)))


def _media_address(entry: str) -> MediaAddress:
    address, number = entry, ""
    if entry.startswith("["):
        address, _, rest = entry[1:].partition("]")
        if rest and not rest.startswith(":"):
            raise ValueError("an IPv6 address with a port looks like [2001:db8::1]:3478")
        number = rest[1:]
        if rest and not number:
            raise ValueError("a port is missing behind the colon")
    elif entry.count(":") == 1:
        address, _, number = entry.partition(":")
        if not number:
            raise ValueError("a port is missing behind the colon")
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        raise ValueError("each entry must be an IP address, with :port behind it if need be") from None
    if parsed.is_unspecified or parsed.is_multicast or parsed.is_link_local:
        raise ValueError("an address that means everywhere, many or only this link cannot be reached")
    if number and not 1 <= port(number) <= 65_535:
        raise ValueError("a port is a number from 1 to 65535")
    return MediaAddress(str(parsed), port(number) if number else None)


def ice_servers(text: str) -> tuple[IceServer, ...]:
    """Read a JSON list of RTCIceServer objects, or bare URLs separated by commas."""
    if not text.startswith("["):
        return (IceServer(tuple(map(_ice_url, _list(text)))),)
    try:
        entries = json.loads(text)
    except json.JSONDecodeError:
        raise ValueError("the JSON cannot be parsed") from None
    return tuple(map(_ice_server, entries))


def _ice_server(entry: object) -> IceServer:
    if not isinstance(entry, dict) or not set(entry) <= {"urls", "username", "credential"}:
        raise ValueError("each entry must be an object with urls, and username and credential if need be")
    urls = [entry.get("urls")] if isinstance(entry.get("urls"), str) else entry.get("urls")
    texts = (entry.get("username"), entry.get("credential"))
    if not isinstance(urls, list) or not urls or not all(isinstance(url, str) for url in urls):
        raise ValueError("urls must be a URL or a list of them")
    if not all(one is None or isinstance(one, str) for one in texts):
        raise ValueError("username and credential must be texts")
    return IceServer(tuple(map(_ice_url, urls)), *texts)


def _ice_url(url: str) -> str:
    scheme, _, rest = url.partition(":")
    if scheme not in {"stun", "stuns", "turn", "turns"} or not rest:
        raise ValueError("URLs look like stun:host:3478 or turn:host:3478?transport=tcp")
    return url


def smtp(text: str) -> Smtp:
    """Read the URL of a mail server."""
    try:
        parts = urlsplit(text)
        host, number = parts.hostname, parts.port
    except ValueError:
        host, number = None, None
        parts = urlsplit("")
    if parts.scheme not in {"smtp", "smtps"} or not host or parts.path not in {"", "/"} or parts.query:
        raise ValueError("it must look like smtp://user:password@host:587 or smtps://user:password@host")
    if (parts.username is None) != (parts.password is None):
        raise ValueError("a user needs a password and a password a user")
    user, password = (None if one is None else unquote(one) for one in (parts.username, parts.password))
    is_tls = parts.scheme == "smtps"
    return Smtp(host, number or (465 if is_tls else 587), user, password, is_tls)


def webhook(text: str) -> Webhook:
    """Read the address of a webhook, with the secret that it knows us by behind a ``#``."""
    url, _, key = text.partition("#")
    parts = urlsplit(web_address(url))
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ValueError("it must be https, unless it is on this machine")
    if parts.username is not None:
        raise ValueError("it must hold no user; what it sends is signed with the secret behind #")
    return Webhook(url, secret(key))


def outside(text: str) -> Outside:
    """Read where checkpoints go: a directory, ``mailto:`` with addresses, or one before the other."""
    place, _, letters = text.partition("mailto:")
    place = place.rstrip(" ,;")
    addresses = tuple(mail_from(address) for address in _list(letters))
    if (not place and not addresses) or any("<" in address for address in addresses):
        raise ValueError("it must look like /mnt/elsewhere, or mailto:a@example.org,b@example.org, or both")
    return Outside(Path(place) if place else None, addresses)


def mail_from(text: str) -> str:
    """Read who letters are from: an address, with a name before it if need be."""
    name, address = parseaddr(text)
    user, _, host = address.rpartition("@")
    if (
        not user
        or not host
        or not text.isascii()
        or not text.isprintable()
        or any(sign in text for sign in "\r\n,")
    ):
        raise ValueError("it must look like post@example.org or teduh <post@example.org>")
    return formataddr((name, address)) if name else address


def time_zone(text: str) -> str:
    """Read the name of a time zone."""
    try:
        return ZoneInfo(text).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("it must be a name such as Asia/Jakarta, Asia/Makassar or Asia/Jayapura") from None


def video_codecs(text: str) -> frozenset[str]:
    """Read which codecs are offered behind VP8."""
    found = frozenset(name.upper() for name in _list(text))
    if not found <= EXTRA_VIDEO_CODECS:
        raise ValueError(f"it may list {', '.join(sorted(EXTRA_VIDEO_CODECS))}; VP8 is always on")
    return found


def tls(text: str) -> Tls | None:
    """Read how HTTPS is done here."""
    if text.lower() == "off":
        return None
    if text.lower() == "self-signed":
        return Tls()
    files = [Path(entry) for entry in _list(text)]
    if len(files) != 2:
        raise ValueError("it must be off, self-signed, or two files: CERTIFICATE,KEY")
    if not all(file.is_file() for file in files):
        raise ValueError("a file that it names is not there")
    return Tls(files[0], files[1])


def database_url(text: str) -> str:
    """Read a database URL; only SQLite and PostgreSQL are known."""
    try:
        async_url(text)
    except Exception:  # noqa: BLE001  # SQLAlchemy's own errors quote the URL with its password
        raise ValueError("it must be sqlite:///file or postgresql://user:password@host/name") from None
    return text


def keys(text: str) -> KeysAt:
    """Read where wrapping keys are: a directory, ``unix:SOCKET`` or ``vault+https://HOST/MOUNT``."""
    scheme, separator, rest = text.partition(":")
    if scheme == "unix" and rest:
        return KeysAt(socket=Path(rest))
    if not separator:
        return KeysAt(directory=Path(text))
    url = urlsplit(text.removeprefix("vault+"))
    schemes = {"https", "http"} if is_loopback(url.hostname or "") else {"https"}
    if not text.startswith("vault+") or url.scheme not in schemes:
        raise ValueError("it must be a directory, unix:SOCKET, or vault+https://HOST/MOUNT")
    if not url.path.strip("/") or url.username or url.query or url.fragment:
        raise ValueError("it must name a mount, such as vault+https://vault.example.org:8200/transit")
    return KeysAt(vault=f"{url.scheme}://{url.netloc}/{url.path.strip('/')}")


def age_recipient(text: str) -> str:
    """Read an age recipient."""
    try:
        return str(Recipient.parse(text))
    except KeyMalformed:
        raise ValueError("it must be a public key of age: age1…") from None


def _list(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",") if entry.strip()]
