from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from hypothesis import given
from hypothesis import strategies as st
from jwt import PyJWS

from accounts.receipts import BadReceipt, Receipts, key_id_of, read_public_pem
from accounts.standing import Entry
from accounts.texts import Kind
from core.derive import derive
from core.ids import UserId

MASTER = bytes(range(32))
RECEIPTS = Receipts(MASTER, origin="https://teduh.example")
ENTRY = Entry(
    7,
    "c_" + "b" * 20,
    UserId("u_" + "a" * 20),
    Kind.SERVICE,
    True,
    1,
    "id",
    "5" * 64,
    datetime(2026, 3, 2, 9, 0, 1, 234_000, tzinfo=UTC),
    "/me/consents",
)


def part(receipt: str, number: int) -> dict[str, object]:
    piece = receipt.split(".")[number]
    read: dict[str, object] = json.loads(base64.urlsafe_b64decode(piece + "=" * (-len(piece) % 4)))
    return read


def signed(claims: object, *, master: bytes = MASTER) -> str:
    key = Ed25519PrivateKey.from_private_bytes(derive(master, "consent receipt"))
    return PyJWS().encode(json.dumps(claims).encode(), key, algorithm="EdDSA")


@pytest.mark.parametrize("way", [True, False])
@pytest.mark.parametrize("kind", list(Kind))
def test_a_receipt_tells_of_its_row_and_of_no_other(kind: Kind, way: bool) -> None:
    entry = replace(ENTRY, kind=kind, given=way)
    read = RECEIPTS.read(RECEIPTS.make(entry))
    assert read.tells_of(entry)
    for other in (
        replace(entry, given=not way),
        replace(entry, version=2),
        replace(entry, locale="en"),
        replace(entry, sha256="6" * 64),
        replace(entry, user=UserId("u_" + "c" * 20)),
        replace(entry, id="c_" + "c" * 20),
        replace(entry, at=entry.at + timedelta(milliseconds=1)),
    ):
        assert not read.tells_of(other)


def test_it_has_the_fields_of_a_consent_receipt_and_no_name() -> None:
    header, claims = part(RECEIPTS.make(ENTRY), 0), part(RECEIPTS.make(ENTRY), 1)
    assert header == {"alg": "EdDSA", "typ": "consent-receipt+jwt", "kid": RECEIPTS.key_id}
    assert claims["version"] == "KI-CR-v1.1.0"
    assert claims["consentTimestamp"] == 1772442001
    assert claims["piiPrincipalId"] == ENTRY.user
    assert claims["policyUrl"] == "https://teduh.example/texts/service/1"
    assert claims["text"] == {"kind": "service", "version": 1, "sha256": "5" * 64}
    assert set(claims) == {
        "version",
        "jurisdiction",
        "consentTimestamp",
        "collectionMethod",
        "consentReceiptID",
        "publicKey",
        "language",
        "piiPrincipalId",
        "piiControllers",
        "policyUrl",
        "services",
        "sensitive",
        "spiCat",
        "event",
        "text",
    }


def test_making_it_again_gives_the_same_bytes() -> None:
    elsewhere = replace(ENTRY, at=ENTRY.at.astimezone(timezone(timedelta(hours=7))))
    assert RECEIPTS.make(ENTRY) == RECEIPTS.make(replace(ENTRY)) == RECEIPTS.make(elsewhere)


def test_line_breaks_of_a_mail_do_no_harm() -> None:
    receipt = RECEIPTS.make(ENTRY)
    broken = "\r\n".join(receipt[start : start + 76] for start in range(0, len(receipt), 76)) + "\n"
    assert RECEIPTS.read(broken).tells_of(ENTRY)


@given(st.data())
def test_a_changed_character_is_found(data: st.DataObject) -> None:
    receipt = RECEIPTS.make(ENTRY)
    at = data.draw(st.integers(0, len(receipt) - 2))
    other = data.draw(st.sampled_from("ABCxyz012-_.").filter(lambda one: one != receipt[at]))
    with pytest.raises(BadReceipt):
        RECEIPTS.read(receipt[:at] + other + receipt[at + 1 :])


@given(st.text(max_size=200))
def test_whatever_is_no_receipt_is_told_so(text: str) -> None:
    with pytest.raises(BadReceipt):
        RECEIPTS.read(text)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        [],
        "text",
        {"consentReceiptID": "c_1"},
        RECEIPTS.claims(ENTRY) | {"event": {"event_type": "x", "event_state": "maybe", "event_time": "now"}},
        RECEIPTS.claims(ENTRY)
        | {"event": {"event_type": "x", "event_state": "maybe", "event_time": "2026-03-02T09:00:00Z"}},
        RECEIPTS.claims(ENTRY)
        | {"event": {"event_type": "x", "event_state": "given", "event_time": "2026-03-02T09:00:00"}},
        RECEIPTS.claims(ENTRY) | {"text": {"kind": "other", "version": 1, "sha256": ""}},
        RECEIPTS.claims(ENTRY) | {"text": {"kind": "service", "version": 10**30, "sha256": ""}},
        RECEIPTS.claims(ENTRY) | {"text": {"kind": "service", "version": 0, "sha256": ""}},
        RECEIPTS.claims(ENTRY) | {"consentReceiptID": "c_\0"},
    ],
)
def test_what_is_signed_and_no_receipt_is_refused(claims: object) -> None:
    with pytest.raises(BadReceipt, match="what is signed is no receipt"):
        RECEIPTS.read(signed(claims))


def test_another_key_and_other_algorithms_do_not_fit() -> None:
    with pytest.raises(BadReceipt):
        RECEIPTS.read(signed(RECEIPTS.claims(ENTRY), master=bytes(32)))
    payload = json.dumps(RECEIPTS.claims(ENTRY)).encode()
    public = RECEIPTS.public_pem().encode()
    with pytest.raises(BadReceipt):
        RECEIPTS.read(PyJWS().encode(payload, "", algorithm="none"))
    # The public key as the secret of an HMAC: PyJWT itself refuses PEM there, so its raw bytes.
    raw = RECEIPTS.public_key.public_bytes_raw()
    with pytest.raises(BadReceipt):
        RECEIPTS.read(PyJWS().encode(payload, raw, algorithm="HS256"))
    assert read_public_pem(public) == load_pem_public_key(public)


def test_it_is_checked_with_the_public_key_alone() -> None:
    elsewhere = Receipts(bytes(32), origin="https://other.example")
    key = read_public_pem(RECEIPTS.public_pem().encode())
    assert elsewhere.read(RECEIPTS.make(ENTRY), key=key).tells_of(ENTRY)
    with pytest.raises(BadReceipt):
        elsewhere.read(RECEIPTS.make(ENTRY))


@pytest.mark.parametrize(
    "pem", [b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", b"\xff"]
)
def test_a_file_that_is_no_public_key_is_told_so(pem: bytes) -> None:
    with pytest.raises(BadReceipt, match="Ed25519"):
        read_public_pem(pem)


def test_the_key_id_is_the_thumbprint_of_rfc_8037() -> None:
    """The example of RFC 8037, appendix A.3."""
    raw = base64.urlsafe_b64decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
    key = Ed25519PrivateKey.from_private_bytes(
        base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
    ).public_key()
    assert key.public_bytes_raw() == raw
    assert key_id_of(key) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
