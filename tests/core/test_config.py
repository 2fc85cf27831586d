from __future__ import annotations

import base64
import dataclasses
from pathlib import Path

import pytest

from core.config import Config, read_config, variables
from core.errors import ConfigError
from core.shapes import IceServer, KeysAt, MediaAddress, Outside, QualityLimits, Smtp, Tls, Webhook

KEY = base64.b64encode(bytes(32)).decode()
AGE_KEY = "age1xmwwc06ly3ee5rytxm9mflaz2u56jjj36s0mypdrwsvlul66mv4q47ryef"


def test_nothing_set_is_a_server_for_this_machine() -> None:
    config = read_config({})
    assert (config.http_host, config.http_port, config.media_port) == (("localhost",), 8080, 3478)
    assert config.public_url == "http://localhost:8080"
    assert config.data_dir == Path("var")
    assert config.database_url == f"sqlite:///{Path('var').resolve()}/teduh.db"
    assert (config.voice_bitrate_kbps, config.voice_ptime_ms, config.grace_s) == (24, 40, 600)
    assert config.video_codecs == frozenset()
    assert config.loopback_only
    assert not config.secure


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("HTTP_HOST", "0.0.0.0, ::", "http_host", ("0.0.0.0", "::")),
        ("HTTP_PORT", "80", "http_port", 80),
        ("MEDIA_PORT", "0", "media_port", 0),
        ("KEYS", "/srv/keys", "keys", KeysAt(directory=Path("/srv/keys"))),
        ("KEYS", "unix:/run/keyd.sock", "keys", KeysAt(socket=Path("/run/keyd.sock"))),
        ("KEYS", "vault+https://v.example:8200/a/b/", "keys", KeysAt(vault="https://v.example:8200/a/b")),
        ("KEYS", "vault+http://127.0.0.1:8200/t", "keys", KeysAt(vault="http://127.0.0.1:8200/t")),
        ("ESCROW", AGE_KEY.upper(), "escrow", AGE_KEY),
        (
            "MEDIA_ADDRESSES",
            "203.0.113.7, 203.0.113.7:4000, 2001:db8::1, [2001:db8::1]:4000, [::1]",
            "media_addresses",
            (
                MediaAddress("203.0.113.7"),
                MediaAddress("203.0.113.7", 4000),
                MediaAddress("2001:db8::1"),
                MediaAddress("2001:db8::1", 4000),
                MediaAddress("::1"),
            ),
        ),
        ("DATA_DIR", "/srv/teduh", "data_dir", Path("/srv/teduh")),
        ("DATABASE_URL", "postgresql://u:p@h/d", "database_url", "postgresql://u:p@h/d"),
        ("PUBLIC_URL", "https://teduh.example.org/", "public_url", "https://teduh.example.org"),
        ("PUBLIC_URL", "https://Teduh.Example.org:443", "public_url", "https://teduh.example.org"),
        ("PUBLIC_URL", "http://[::1]:8080", "public_url", "http://[::1]:8080"),
        ("ICE_SERVERS", "stun:a:3478,stun:b", "ice_servers", (IceServer(("stun:a:3478", "stun:b")),)),
        (
            "ICE_SERVERS",
            '[{"urls": "turn:a", "username": "u", "credential": "c"}, {"urls": ["stun:b", "stun:c"]}]',
            "ice_servers",
            (IceServer(("turn:a",), "u", "c"), IceServer(("stun:b", "stun:c"))),
        ),
        ("TLS", "off", "tls", None),
        ("TLS", "self-signed", "tls", Tls()),
        ("CONTAINER", "1", "container", True),
        ("VIDEO_CODECS", "vp9, H264", "video_codecs", frozenset({"VP9", "H264"})),
        ("VOICE_BITRATE_KBPS", "12", "voice_bitrate_kbps", 12),
        ("VOICE_PTIME_MS", "60", "voice_ptime_ms", 60),
        ("QUALITY_FAIR", "2, 250, 3.8", "quality_fair", QualityLimits(2, 250, 3.8)),
        ("QUALITY_POOR", "10,900,2.9", "quality_poor", QualityLimits(10, 900, 2.9)),
        ("GRACE_S", "30", "grace_s", 30),
        ("MASTER_KEY", KEY, "master_key", bytes(32)),
        ("METRICS_TOKEN", "0123456789abcdef", "metrics_token", "0123456789abcdef"),
        (
            "EMBEDDERS",
            "https://a.example,https://b.example",
            "embedders",
            {"https://a.example", "https://b.example"},
        ),
        ("LOG_LEVEL", "debug", "log_level", "DEBUG"),
        ("TRUSTED_PROXIES", "10.0.0.1, ::1", "trusted_proxies", {"10.0.0.1", "::1"}),
        ("API_REQUESTS_PER_S", "7", "api_requests_per_s", 7),
        ("HTTP_PORT", "  ", "http_port", 8080),
        ("TIME_ZONE", "Asia/Jayapura", "time_zone", "Asia/Jayapura"),
        ("SMTP_URL", "smtp://u:p%40ss@mail.example.org", "smtp", Smtp("mail.example.org", 587, "u", "p@ss")),
        ("SMTP_URL", "smtps://mail.example.org", "smtp", Smtp("mail.example.org", 465, tls=True)),
        ("SMTP_URL", "smtp://[::1]:25", "smtp", Smtp("::1", 25)),
        ("AUDIT_CHECKPOINTS", "/mnt/worm", "audit_checkpoints", Outside(Path("/mnt/worm"))),
        ("AUDIT_CHECKPOINTS", "mailto:a@x,b@y", "audit_checkpoints", Outside(None, ("a@x", "b@y"))),
        ("AUDIT_CHECKPOINTS", "/m n, mailto:a@x.id", "audit_checkpoints", Outside(Path("/m n"), ("a@x.id",))),
        ("MAIL_FROM", "Kabar <post@example.org>", "mail_from", "Kabar <post@example.org>"),
        ("COMPLAINT_DAYS", "14", "complaint_days", 14),
        ("MATCHING", "Assigned", "matching", "assigned"),
        (
            "ALERT_WEBHOOK",
            "https://pager.example.org/in#0123456789abcdef",
            "alert_webhook",
            Webhook("https://pager.example.org/in", "0123456789abcdef"),
        ),
        (
            "ALERT_WEBHOOK",
            "http://[::1]:9/a#0123456789abcdef",
            "alert_webhook",
            Webhook("http://[::1]:9/a", "0123456789abcdef"),
        ),
        ("BACKUP_MARK", "/srv/backup.done", "backup_mark", Path("/srv/backup.done")),
        ("MINORS_POLICY", "minors.toml", "minors_policy", Path("minors.toml")),
    ],
)
def test_a_setting_is_read(variable: str, text: str, field: str, value: object) -> None:
    assert getattr(read_config({f"TEDUH_{variable}": text}), field) == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("HTTP_HOST", "http://a"),
        ("HTTP_PORT", "80a"),
        ("HTTP_PORT", "-1"),
        ("HTTP_PORT", "\u0661"),
        ("MEDIA_PORT", "65536"),
        ("KEYS", "unix:"),
        ("KEYS", "https://v.example/transit"),
        ("KEYS", "vault+http://v.example/transit"),
        ("KEYS", "vault+https://v.example"),
        ("KEYS", "vault+https://user@v.example/transit"),
        ("KEYS_HOURLY", "0"),
        ("ESCROW", AGE_KEY[:-1] + "q"),
        ("ESCROW", "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0"),
        ("MEDIA_ADDRESSES", "example.org"),
        ("MEDIA_ADDRESSES", "203.0.113.7:"),
        ("MEDIA_ADDRESSES", "203.0.113.7:0"),
        ("MEDIA_ADDRESSES", "203.0.113.7:70000"),
        ("MEDIA_ADDRESSES", "[2001:db8::1]4000"),
        ("MEDIA_ADDRESSES", "[2001:db8::1]:"),
        ("MEDIA_ADDRESSES", "fe80::1"),
        ("MEDIA_ADDRESSES", "169.254.1.1"),
        ("MEDIA_ADDRESSES", "0.0.0.0"),
        ("MEDIA_ADDRESSES", "ff02::1"),
        ("DATABASE_URL", "mysql://h/d"),
        ("DATABASE_URL", "what"),
        ("PUBLIC_URL", "teduh.example.org"),
        ("PUBLIC_URL", "ftp://teduh.example.org"),
        ("PUBLIC_URL", "https://teduh.example.org/app"),
        ("PUBLIC_URL", "https://u:p@teduh.example.org"),
        ("PUBLIC_URL", "https://teduh.example.org:99999"),
        ("ICE_SERVERS", "example.org"),
        ("ICE_SERVERS", "[{"),
        ("ICE_SERVERS", "[1]"),
        ("ICE_SERVERS", '[{"urls": []}]'),
        ("ICE_SERVERS", '[{"urls": "stun:a", "username": 1}]'),
        ("ICE_SERVERS", '[{"urls": "stun:a", "password": "x"}]'),
        ("TIME_ZONE", "WIB"),
        ("TIME_ZONE", "../etc/passwd"),
        ("SMTP_URL", "mail.example.org:587"),
        ("SMTP_URL", "smtp://u@mail.example.org"),
        ("AUDIT_CHECKPOINTS", "mailto:"),
        ("AUDIT_CHECKPOINTS", "/mnt mailto:nobody"),
        ("AUDIT_CHECKPOINTS", "mailto:Anna <a@x.id>"),
        ("SMTP_URL", "smtp://mail.example.org:port"),
        ("SMTP_URL", "http://mail.example.org"),
        ("MAIL_FROM", "nobody"),
        ("MAIL_FROM", "a@b.c, d@e.f"),
        ("COMPLAINT_DAYS", "0"),
        ("MATCHING", "random"),
        ("ALERT_WEBHOOK", "https://pager.example.org/in"),
        ("ALERT_WEBHOOK", "https://pager.example.org/in#short"),
        ("ALERT_WEBHOOK", "http://pager.example.org/in#0123456789abcdef"),
        ("ALERT_WEBHOOK", "https://u:p@pager.example.org/in#0123456789abcdef"),
        ("TLS", "cert.pem"),
        ("TLS", "/nowhere/cert.pem,/nowhere/key.pem"),
        ("CONTAINER", "maybe"),
        ("VIDEO_CODECS", "VP8"),
        ("VOICE_BITRATE_KBPS", "5"),
        ("VOICE_PTIME_MS", "30"),
        ("QUALITY_FAIR", "3,300"),
        ("QUALITY_FAIR", "3,300,good"),
        ("QUALITY_POOR", "101,700,3.1"),
        ("QUALITY_POOR", "8,700,5"),
        ("GRACE_S", "0"),
        ("MASTER_KEY", "short"),
        ("METRICS_TOKEN", "guessable"),
        ("EMBEDDERS", "*"),
        ("LOG_LEVEL", "loud"),
        ("TRUSTED_PROXIES", "10.0.0.0/8"),
    ],
)
def test_a_setting_that_does_not_fit_stops_the_start_and_is_named(variable: str, text: str) -> None:
    with pytest.raises(ConfigError) as stopped:
        read_config({f"TEDUH_{variable}": text})
    assert str(stopped.value).startswith(f"TEDUH_{variable} does not fit: ")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("TEDUH_HTTP_PROT", "Did you mean TEDUH_HTTP_PORT?"),
        ("teduh_http_port", "Did you mean TEDUH_HTTP_PORT?"),
        ("TEDUH-HTTP-PORT", "Did you mean TEDUH_HTTP_PORT?"),
        ("TEDUHTTP_PORT", "Did you mean TEDUH_HTTP_PORT?"),
        ("TEDUH_COLOUR_OF_THE_SKY", "docs/operations.md"),
        ("TEDUH_", "is not a setting"),
    ],
)
def test_an_unknown_name_stops_the_start_and_is_named(name: str, hint: str) -> None:
    with pytest.raises(ConfigError) as stopped:
        read_config({name: "1"})
    assert str(stopped.value).startswith(f"{name} is not a setting of teduh.")
    assert hint in str(stopped.value)


def test_what_does_not_fit_is_not_quoted() -> None:
    with pytest.raises(ConfigError) as stopped:
        read_config({"TEDUH_DATABASE_URL": "oracle://u:very-secret@h/d"})
    assert "very-secret" not in str(stopped.value)


def test_other_programs_variables_are_left_alone() -> None:
    assert read_config({"HTTP_PORT": "x", "PATH": "/bin"}) == read_config({})


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# ours\nTEDUH_HTTP_PORT=9001\nTEDUH_GRACE_S='30'\nOTHER=1\n")
    config = read_config({"TEDUH_HTTP_PORT": "9002"}, file)
    assert (config.http_port, config.grace_s) == (9002, 30)


def test_a_wrong_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    for text, told in (("TEDUH_GRACE=30\n", "TEDUH_GRACE_S"), ("TEDUH_GRACE_S\n", "has no value")):
        file.write_text(text)
        with pytest.raises(ConfigError, match=told):
            read_config({}, file)


def test_a_public_server_has_no_demo() -> None:
    for set_by_operator in (
        {"TEDUH_PUBLIC_URL": "https://teduh.example.org"},
        {"TEDUH_HTTP_HOST": "0.0.0.0"},
        {"TEDUH_HTTP_HOST": "localhost,192.168.1.4"},
    ):
        assert not read_config(set_by_operator).loopback_only


def test_https_here_is_https_in_the_default_url() -> None:
    assert Config(tls=Tls()).public_url == "https://localhost:8080"


def test_every_field_has_a_variable_and_a_unit() -> None:
    assert len(variables()) == len(dataclasses.fields(Config))
    assert all(unit and name.startswith("TEDUH_") for name, unit in variables().items())
