from __future__ import annotations

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from core.errors import ConfigError
from core.shapes import Tls
from web import tls

NOW = datetime(2026, 3, 2, tzinfo=UTC)
NAMES = ("localhost", "192.168.1.20", "fd12::20")


def names_in(path: Path) -> list[str]:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in names]


def test_a_certificate_of_our_own_names_every_address(tmp_path: Path) -> None:
    path = tls.self_signed(tmp_path, names=NAMES, now=NOW)
    assert names_in(path) == [*NAMES]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert tls.context(Tls(), data_dir=tmp_path, names=NAMES, now=NOW).cert_store_stats()["x509"] >= 0


def test_it_is_kept_while_it_holds(tmp_path: Path) -> None:
    first = tls.self_signed(tmp_path, names=NAMES, now=NOW).read_bytes()
    assert tls.self_signed(tmp_path, names=NAMES[:2], now=NOW).read_bytes() == first


def test_it_is_made_anew_for_a_new_address_and_before_it_ends(tmp_path: Path) -> None:
    first = tls.self_signed(tmp_path, names=NAMES, now=NOW).read_bytes()
    second = tls.self_signed(tmp_path, names=(*NAMES, "10.0.0.4"), now=NOW).read_bytes()
    later = NOW + tls.LIFE - timedelta(days=29)
    third = tls.self_signed(tmp_path, names=NAMES, now=later).read_bytes()
    assert len({first, second, third}) == 3


def test_a_spoiled_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / tls.FILE).write_text("nothing")
    assert names_in(tls.self_signed(tmp_path, names=NAMES, now=NOW)) == [*NAMES]


def test_the_operators_files_are_used_and_checked(tmp_path: Path) -> None:
    good = tls.self_signed(tmp_path, names=NAMES, now=NOW)
    context = tls.context(Tls(good, good), data_dir=tmp_path, names=NAMES, now=NOW)
    assert isinstance(context, ssl.SSLContext)
    other = tls.self_signed(tmp_path / "other", names=NAMES, now=NOW)
    for files in (Tls(good, other), Tls(tmp_path / "none", good)):
        with pytest.raises(ConfigError, match="TEDUH_TLS"):
            tls.context(files, data_dir=tmp_path, names=NAMES, now=NOW)
