"""All settings: one struct, each field with its variable, unit and default.

They come from ``TEDUH_*`` in the environment or in a file ``.env``; the environment wins. A name
that is not in this file stops the start with a sentence that names it, so a typing error never
silently leaves a default in force.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values

from core import settings as read
from core.bucket import Bucket, place
from core.errors import ConfigError
from core.shapes import (
    FAIR,
    POOR,
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

PREFIX = "TEDUH_"


def _setting(variable: str, parse: Callable[[str], object], default: object, unit: str = "") -> Any:  # noqa: ANN401  # as dataclasses.field
    metadata = {"variable": PREFIX + variable, "parse": parse, "unit": unit}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything an operator can set. ``read_config`` makes it; tests make their own."""

    http_host: tuple[str, ...] = _setting("HTTP_HOST", read.hosts, ("localhost",), "names or addresses")
    """Where the HTTP server listens; ``0.0.0.0,::`` for everywhere."""
    http_port: int = _setting("HTTP_PORT", read.port, 8080, "TCP port")
    public_url: str = _setting("PUBLIC_URL", read.origin, "", "scheme://host[:port]")
    """How browsers reach this server; ``http(s)://localhost:HTTP_PORT`` unless set."""
    tls: Tls | None = _setting("TLS", read.tls, None, "off, self-signed, or CERTIFICATE,KEY files")
    trusted_proxies: frozenset[str] = _setting("TRUSTED_PROXIES", read.proxies, frozenset(), "addresses")
    """Proxies whose ``X-Forwarded-For`` is believed, for throttling only."""
    embedders: frozenset[str] = _setting("EMBEDDERS", read.origins, frozenset(), "origins")
    """Other sites whose pages may open the WebSocket."""

    media_port: int = _setting("MEDIA_PORT", read.port, 3478, "UDP and TCP port")
    media_addresses: tuple[MediaAddress, ...] = _setting(
        "MEDIA_ADDRESSES", read.media_addresses, (), "address or address:port, [v6]:port"
    )
    """What browsers are told to send media to; found out (``core/addresses.py``) unless set."""
    ice_servers: tuple[IceServer, ...] = _setting("ICE_SERVERS", read.ice_servers, (), "JSON list, or URLs")
    container: bool | None = _setting("CONTAINER", read.flag, None, "0 or 1")
    """Whether this is a container; None finds out."""

    video_codecs: frozenset[str] = _setting("VIDEO_CODECS", read.video_codecs, frozenset(), "VP9, H264, AV1")
    """Codecs offered behind VP8 to those who know them."""
    voice_bitrate_kbps: int = _setting("VOICE_BITRATE_KBPS", read.whole(6, 128), 24, "kbit/s")
    voice_ptime_ms: int = _setting("VOICE_PTIME_MS", read.one_of(10, 20, 40, 60), 40, "ms")

    quality_fair: QualityLimits = _setting(
        "QUALITY_FAIR", read.limits, FAIR, "loss in %, round trip in ms, MOS"
    )
    """Beyond any of these a line is fair and no longer good."""
    quality_poor: QualityLimits = _setting(
        "QUALITY_POOR", read.limits, POOR, "loss in %, round trip in ms, MOS"
    )
    """Beyond any of these a line is poor."""
    quality_days: int = _setting("QUALITY_DAYS", read.whole(7, 3_650), 90, "days")
    """How long the samples and events of sessions are kept."""
    trends_days: int = _setting("TRENDS_DAYS", read.whole(30, 3_650), 730, "days")
    """How long a session's summary is kept, which the trends are made of."""

    data_dir: Path = _setting("DATA_DIR", Path, Path("var"), "directory")
    database_url: str = _setting("DATABASE_URL", read.database_url, "", "URL")
    """SQLite in the data directory unless set; ``postgresql://…`` goes through asyncpg."""
    master_key: bytes | None = _setting("MASTER_KEY", read.key_256, None, "32 bytes as base64")
    """Made on first run in the data directory unless set."""

    keys: KeysAt | None = _setting(
        "KEYS", read.keys, None, "directory, unix:SOCKET, or vault+https://HOST/MOUNT"
    )
    """Where the keys that wrap recordings' keys are; ``keys`` in the data directory unless set."""
    keys_db: Path | None = _setting("KEYS_DB", Path, None, "file")
    """The wrapped keys of recordings; ``keys.db`` in the data directory unless set."""
    keys_hourly: int = _setting("KEYS_HOURLY", read.whole(1, 3_600), 60, "openings/h")
    """How many recordings' keys people may have opened within an hour."""
    keys_token: Path | None = _setting("KEYS_TOKEN", Path, None, "file")
    """The token for Vault."""
    keys_backup: Path | None = _setting("KEYS_BACKUP", Path, None, "directory")
    """Where a backup of the wrapped keys is written each night, and deleted before it is seven days old."""
    escrow: str | None = _setting("ESCROW", read.age_recipient, None, "age1…")
    """The public key of the escrow, whose secret half two people hold; without it there is no escrow."""
    recordings_url: Path | Bucket | None = _setting(
        "RECORDINGS_URL",
        place,
        None,
        "s3://KEY:SECRET@BUCKET/PREFIX?endpoint=https://HOST&region=REGION or file:///…",
    )
    """Where finished recordings are stored; ``recordings/stored`` in the data directory unless set."""

    recording: bool = _setting("RECORDING", read.flag, default=True, unit="0 or 1")
    """Whether anybody is asked for a recording; what there is stays until its time is over."""
    recording_hold: int = _setting("RECORDING_HOLD", read.whole(0, 720), 72, "hours")
    """How long after its end nobody may open a recording: time to think it over."""
    recording_days: int = _setting("RECORDING_DAYS", read.whole(1, 3_650), 90, "days")
    """How long a recording is kept, counted from its beginning; told to the two in it."""
    recording_program_days: int | None = _setting(
        "RECORDING_PROGRAM_DAYS", read.whole(1, 3_650), None, "days"
    )
    """How long one of a program's session is kept, at most as long as all others; None: as long."""
    recording_export: bool = _setting("RECORDING_EXPORT", read.flag, default=False, unit="0 or 1")
    """Whether a recording may be taken out, sealed to one recipient, when a second person approves."""

    time_zone: str = _setting("TIME_ZONE", read.time_zone, "Asia/Jakarta", "name of a time zone")
    """The service's own: duty hours, opening hours, days."""
    smtp: Smtp | None = _setting("SMTP_URL", read.smtp, None, "smtp://user:password@host:587 or smtps://…")
    """The mail server for notices without content; without it no e-mail goes out."""
    mail_from: str | None = _setting("MAIL_FROM", read.mail_from, None, "e-mail address")
    """Who letters are from; ``noreply@`` the host of ``public_url`` unless set."""
    alert_webhook: Webhook | None = _setting("ALERT_WEBHOOK", read.webhook, None, "https URL#secret")
    """Who is told, without content, that somebody on duty is needed now: signed with the secret."""
    complaint_days: int = _setting("COMPLAINT_DAYS", read.whole(1, 90), 7, "days")
    """Within how many days a complaint is answered; told to whoever complains."""
    message_hours: int = _setting("MESSAGE_HOURS", read.whole(1, 168), 24, "hours")
    """Within how many hours a message to the desk is answered; told to the client, and measured."""
    message_days: int = _setting("MESSAGE_DAYS", read.whole(30, 3_650), 365, "days")
    """How long a thread of messages is kept after the last one; told to the client."""
    appointment_minutes: int = _setting("APPOINTMENT_MINUTES", read.fives(10, 240), 50, "minutes")
    """How long an appointment is."""
    gap_minutes: int = _setting("GAP_MINUTES", read.fives(0, 120), 10, "minutes")
    """How much time a counselor has after an appointment before the next one."""
    in_person_place: str | None = _setting("IN_PERSON_PLACE", read.place, None, "text")
    """Where people come in person, unless a counselor says another place; without either nobody does."""
    matching: str = _setting("MATCHING", read.one_word("accept", "assigned"), "accept", "accept or assigned")
    """Whether a counselor accepts who is offered, or is given them."""
    minors_policy: Path | None = _setting("MINORS_POLICY", Path, None, "TOML file")
    """Under which terms people under 18 are counseled; without it the service is 18+."""
    credentials: Path | None = _setting("CREDENTIALS", Path, None, "TOML file")
    """Kinds of credential instead of those that ship (``counseling/data/credentials.toml``)."""
    instruments: Path | None = _setting("INSTRUMENTS", Path, None, "directory")
    """TOML files of screening instruments beside those that ship, or in their place."""
    cutoffs: Path | None = _setting("CUTOFFS", Path, None, "TOML file")
    """From which scores and concerns on a counselor is told, instead of the instruments' own."""
    audit_checkpoints: Outside = _setting(
        "AUDIT_CHECKPOINTS", read.outside, Outside(), "directory, mailto:a@x,b@y"
    )
    """Where signed checkpoints of the audit go, each hour and at each erasing: out of this server's reach."""
    backup_mark: Path | None = _setting("BACKUP_MARK", Path, None, "file")
    """A file that the backup touches when it has succeeded; ``teduh doctor`` reads its age."""

    quick_exit_url: str = _setting("QUICK_EXIT_URL", read.web_address, "https://www.bmkg.go.id/", "https URL")
    """Where the quick exit leads: a page that raises no question, such as the weather."""
    service_phone: str | None = _setting("SERVICE_PHONE", read.telephone, None, "telephone number")
    """The service's own, shown on the card of a broken line: it works without data."""
    grace_s: int = _setting("GRACE_S", read.whole(1, 86_400), 600, "s")
    """How long a place is kept for somebody who lost the connection."""
    api_requests_per_s: int = _setting("API_REQUESTS_PER_S", read.whole(1, 100_000), 50, "requests/s")
    """What each API key may ask; four times as many at once."""
    metrics_token: str | None = _setting("METRICS_TOKEN", read.secret, None, "text")
    """Opens ``/metrics`` to others than loopback."""
    log_level: str = _setting("LOG_LEVEL", read.log_level, "INFO", "DEBUG, INFO, WARNING, ERROR")

    def __post_init__(self) -> None:
        """Fill in what follows from other settings."""
        if not self.public_url:
            scheme = "http" if self.tls is None else "https"
            object.__setattr__(self, "public_url", f"{scheme}://localhost:{self.http_port}")
        if not self.database_url:
            object.__setattr__(self, "database_url", f"sqlite:///{self.data_dir.resolve() / 'teduh.db'}")

    @property
    def keys_at(self) -> KeysAt:
        """Where the keys that wrap recordings' keys are."""
        return self.keys or KeysAt(directory=self.data_dir / "keys")

    @property
    def keys_file(self) -> Path:
        """Where the wrapped keys of recordings are."""
        return self.keys_db or self.data_dir / "keys.db"

    @property
    def public_host(self) -> str:
        """The host that browsers ask for: a name, or an address without brackets."""
        return urlsplit(self.public_url).hostname or ""

    @property
    def mail_sender(self) -> str:
        """Who letters are from."""
        return self.mail_from or f"noreply@{self.public_host}"

    @property
    def secure(self) -> bool:
        """Whether browsers come by HTTPS."""
        return self.public_url.startswith("https:")

    @property
    def loopback_only(self) -> bool:
        """Whether nobody but this machine can reach the pages: then there may be demo data."""
        return all(map(is_loopback, (self.public_host, *self.http_host)))


def variables() -> dict[str, str]:
    """Name every variable with the unit it is read in."""
    return {field.metadata["variable"]: field.metadata["unit"] for field in dataclasses.fields(Config)}


def read_config(environ: Mapping[str, str], env_file: Path | None = None) -> Config:
    """Read all settings. Raises ``ConfigError`` whose text names the one that is wrong.

    The text never quotes a value: it could be a secret.
    """
    found: dict[str, str | None] = {}
    if env_file is not None and env_file.is_file():
        found.update(dotenv_values(env_file, interpolate=False))
    found.update(environ)
    by_variable = {field.metadata["variable"]: field for field in dataclasses.fields(Config)}
    values: dict[str, Any] = {}
    for name, text in found.items():
        if not name.upper().startswith(PREFIX.rstrip("_")):
            continue
        field = by_variable.get(name)
        if field is None:
            raise ConfigError(_unknown(name, list(by_variable)))
        if text is None:
            raise ConfigError(f"{name} has no value in {env_file}; write {name}=… or take the line out.")
        if not text.strip():
            continue
        try:
            values[field.name] = field.metadata["parse"](text.strip())
        except (ValueError, ConfigError) as error:
            raise ConfigError(f"{name} does not fit: {error} (expected: {field.metadata['unit']}).") from None
    return Config(**values)


def config_from_here() -> Config:
    """Read the settings of this process: its environment and ``.env`` in the working directory."""
    return read_config(os.environ, Path(".env"))


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name.upper().replace("-", "_"), known, n=1, cutoff=0.7)
    hint = f" Did you mean {near[0]}?" if near else " docs/operations.md lists those there are."
    return f"{name} is not a setting of teduh.{hint}"
