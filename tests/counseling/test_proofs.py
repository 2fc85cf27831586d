from __future__ import annotations

import os
import stat
from datetime import timedelta

import pytest

from accounts import grants
from accounts.people import Person
from accounts.roles import Permission, Role
from accounts.subjects import KeyGone
from core.errors import Forbidden, NotFound
from core.ids import UserId
from counseling.proofs import MAX_FILES, Proof, TooManyProofs
from counseling.uploads import Clean
from tests.counseling.conftest import Desk

FILE = Clean("image/png", b"\x89PNG a picture of a licence")


async def add(desk: Desk, user: UserId) -> Proof:
    async with desk.database.sessions.begin() as db:
        return await desk.proofs.add(db, user=user, kind="licence", file=FILE, now=desk.clock.now())


async def opened(desk: Desk, admin: Person, proof: Proof, user: UserId) -> bytes:
    async with desk.database.sessions.begin() as db:
        grant = await grants.give(
            db,
            desk.audit,
            person=admin,
            permission=Permission.OPEN_PROOF,
            subject=user,
            purpose="verification",
            now=desk.clock.now(),
        )
        _, data = await desk.proofs.open(db, grant, user=proof.user, proof=proof.id, now=desk.clock.now())
    return data


async def test_a_file_lies_sealed_and_only_its_owner_reads_it_on_the_disk(desk: Desk) -> None:
    ratna = await desk.make(Role.COUNSELOR)
    proof = await add(desk, ratna.id)
    (file,) = (desk.folder / "proofs").iterdir()
    assert FILE.data not in file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert ratna.id not in file.name
    assert proof.file_name == f"licence-{proof.id[-6:]}.png"


async def test_a_grant_opens_it_and_that_is_written_down(desk: Desk) -> None:
    ratna, admin = await desk.make(Role.COUNSELOR), await desk.make(Role.ADMIN)
    proof = await add(desk, ratna.id)
    assert await opened(desk, admin, proof, ratna.id) == FILE.data
    async with desk.database.sessions() as db:
        (last, *_) = await desk.audit.own(db, person=ratna.id, others_only=True)
    assert (last.tag, last.actor, last.object_id) == ("proof:open", admin.id, proof.id)
    assert last.detail == {"kind": "licence", "purpose": "verification"}


async def test_a_grant_for_another_person_or_of_yesterday_opens_nothing(desk: Desk) -> None:
    ratna, bima = await desk.make(Role.COUNSELOR), await desk.make(Role.COUNSELOR)
    admin = await desk.make(Role.ADMIN)
    proof = await add(desk, ratna.id)
    with pytest.raises(Forbidden):
        await opened(desk, admin, proof, bima.id)
    async with desk.database.sessions.begin() as db:
        grant = await grants.give(
            db, desk.audit, person=admin, permission=Permission.OPEN_PROOF, subject=ratna.id, purpose="check",
            now=desk.clock.now(),
        )  # fmt: skip
    desk.clock.advance(15 * 60)
    with pytest.raises(Forbidden):
        async with desk.database.sessions.begin() as db:
            await desk.proofs.open(db, grant, user=ratna.id, proof=proof.id, now=desk.clock.now())
    with pytest.raises(Forbidden):
        await opened(desk, ratna, proof, ratna.id)


async def test_a_forgotten_key_forgets_the_file_wherever_it_is(desk: Desk) -> None:
    ratna, admin = await desk.make(Role.COUNSELOR), await desk.make(Role.ADMIN)
    proof = await add(desk, ratna.id)
    async with desk.database.sessions.begin() as db:
        grant = await grants.give(
            db, desk.audit, person=admin, permission=Permission.OPEN_PROOF, subject=ratna.id, purpose="check",
            now=desk.clock.now(),
        )  # fmt: skip
        await desk.audit.subjects.forget(db, subject=ratna.id)
    with pytest.raises(KeyGone):
        async with desk.database.sessions.begin() as db:
            await desk.proofs.open(db, grant, user=ratna.id, proof=proof.id, now=desk.clock.now())


async def test_there_are_at_most_ten(desk: Desk) -> None:
    ratna = await desk.make(Role.COUNSELOR)
    for _ in range(MAX_FILES):
        await add(desk, ratna.id)
    with pytest.raises(TooManyProofs):
        await add(desk, ratna.id)
    assert len(list((desk.folder / "proofs").iterdir())) == MAX_FILES


async def test_only_the_owner_takes_a_proof_away(desk: Desk) -> None:
    ratna, bima = await desk.make(Role.COUNSELOR), await desk.make(Role.COUNSELOR)
    proof = await add(desk, ratna.id)
    with pytest.raises(NotFound):
        async with desk.database.sessions.begin() as db:
            await desk.proofs.remove(db, user=bima.id, proof=proof.id, now=desk.clock.now())
    async with desk.database.sessions.begin() as db:
        file = await desk.proofs.remove(db, user=ratna.id, proof=proof.id, now=desk.clock.now())
    await desk.proofs.unlink(file)
    await desk.proofs.unlink(file)
    assert list((desk.folder / "proofs").iterdir()) == []


async def test_files_that_no_row_names_are_swept_after_an_hour(desk: Desk) -> None:
    async with desk.database.sessions() as db:
        assert await desk.proofs.sweep(db, now=desk.clock.now()) == 0
    ratna = await desk.make(Role.COUNSELOR)
    await add(desk, ratna.id)
    for name, age in (("left", timedelta(hours=2)), ("young", timedelta(minutes=5))):
        file = desk.folder / "proofs" / name
        file.write_bytes(b"")
        at = (desk.clock.now() - age).timestamp()
        os.utime(file, (at, at))
    for file in (desk.folder / "proofs").glob("[0-9a-f]" * 48):
        at = (desk.clock.now() - timedelta(days=9)).timestamp()
        os.utime(file, (at, at))
    async with desk.database.sessions() as db:
        assert await desk.proofs.sweep(db, now=desk.clock.now()) == 1
        (kept,) = await desk.proofs.of(db, user=ratna.id)
    assert kept.kind == "licence"
    assert sorted(file.name == "young" for file in (desk.folder / "proofs").iterdir()) == [False, True]
