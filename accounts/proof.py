"""Proof of consent (Indonesia's PDP law 27/2022, article 24): all of one person's rows with the exact texts.

For the person themself, and for an admin who says what for. There is no name in it. As JSON it is for
programs; as PDF (``accounts/printing.py``) for people.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from accounts import consents, texts
from accounts.audit import Audit
from accounts.grants import Grant
from accounts.receipts import Receipts
from accounts.roles import Permission
from accounts.standing import ConsentState, Entry
from accounts.texts import CONSENTS, Version
from core.clock import rfc3339
from core.errors import Forbidden
from core.ids import UserId


@dataclass(frozen=True, slots=True)
class Proof:
    """What is known of one person's consents at one moment. ``texts`` are those that ``entries`` name."""

    user: UserId
    at: datetime
    entries: Sequence[Entry]
    state: ConsentState
    texts: Sequence[Version]


async def own(db: AsyncSession, *, user: UserId, now: datetime) -> Proof:
    """Gather the proof for the person whose it is."""
    entries = await consents.entries(db, user=user)
    named = sorted({(entry.kind, entry.version) for entry in entries})
    return Proof(
        user,
        now,
        entries,
        await consents.state(db, user=user),
        [await texts.find(db, kind=kind, number=number) for kind, number in named],
    )


async def of_another(
    db: AsyncSession, grant: Grant, audit: Audit, *, user: UserId, form: str, now: datetime
) -> Proof:
    """Gather the proof for an admin, as ``form`` (``json`` or ``pdf``), and write it down.

    Of somebody who was erased the ledger is still there; the grant is then for nobody, with the opaque id as
    its object.
    """
    if grant.subject is None and grant.object_id != user:
        raise Forbidden("This grant is for something else.")
    grant.require(
        Permission.SEE_CONSENT_PROOF, user if grant.subject is not None else None, now, object_id=user
    )
    proof = await own(db, user=user, now=now)
    await audit.append(
        db,
        tag="consent:proof",
        actor=grant.person,
        subject=grant.subject,
        object_id=user,
        detail={"form": form, "purpose": grant.purpose},
        now=now,
    )
    return proof


def as_json(proof: Proof, receipts: Receipts) -> bytes:
    """Write all that the proof says. The texts stand in it as they are; each row has its signed receipt."""
    whole = {
        "form": "teduh consent proof 1",
        "person": proof.user,
        "made_at": rfc3339(proof.at),
        "key_id": receipts.key_id,
        "public_key": receipts.public_pem(),
        "standing": {kind.value: proof.state.consents[kind].standing.value for kind in CONSENTS},
        "entries": [
            {
                "id": entry.id,
                "kind": entry.kind.value,
                "event": "given" if entry.given else "withdrawn",
                "version": entry.version,
                "locale": entry.locale,
                "sha256": entry.sha256,
                "at": rfc3339(entry.at),
                "page": entry.page,
                "receipt": receipts.make(entry),
            }
            for entry in proof.entries
        ],
        "texts": [
            {
                "kind": version.kind.value,
                "version": version.number,
                "locale": text.locale,
                "sha256": text.sha256,
                "body": text.body,
            }
            for version, text in _shown(proof)
        ],
    }
    return json.dumps(whole, ensure_ascii=False, indent=2).encode() + b"\n"


def _shown(proof: Proof) -> list[tuple[Version, texts.Text]]:
    """List the texts that were shown, each once, in the language in which it was."""
    seen = {(entry.kind, entry.version, entry.locale) for entry in proof.entries}
    return [
        (version, text)
        for version in proof.texts
        for text in version.texts.values()
        if (version.kind, version.number, text.locale) in seen
    ]
