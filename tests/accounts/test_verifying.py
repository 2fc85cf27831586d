"""Every way to falsify the audit is caught, some of them only with a checkpoint from outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import text

from accounts import people
from accounts.audit import Audit
from accounts.checkpoints import Checkpoint, Checkpoints, read_lines
from accounts.verifying import Problem, Verdict, last_verdict, note, verify
from core.db import Database
from core.errors import Malformed
from core.ids import UserId
from tests.accounts import attacks
from tests.fakes import FakeClock

MASTER = bytes(range(32))


@dataclass
class Chain:
    """Twelve rows, and checkpoints of the 4th, the 8th and the last."""

    database: Database
    audit: Audit
    clock: FakeClock
    checkpoints: list[Checkpoint]
    users: list[UserId]

    async def check(self, *, erased: Sequence[UserId] = (), outside: bool = False) -> Verdict:
        async with self.database.sessions() as db:
            return await verify(
                db,
                self.audit,
                erased=erased,
                checkpoints=self.checkpoints if outside else (),
                signer=Checkpoints(MASTER).signer,
                now=self.clock.now(),
            )


@pytest.fixture
async def written(database: Database, clock: FakeClock) -> Chain:
    made = Chain(database, Audit(MASTER), clock, [], [])
    for name in ("Melati", "Kenanga"):
        async with database.sessions.begin() as db:
            person = await people.create_client(db, name=name, language="id", adult=True, now=clock.now())
        made.users.append(person.id)
    for number in range(1, 13):
        async with database.sessions.begin() as db:
            await made.audit.append(
                db,
                tag="proof:open" if number % 2 else "login:open",
                actor=made.users[0],
                subject=[*made.users, None][number % 3],
                object_id=f"o_{number}",
                detail={"number": number},
                now=clock.now(),
            )
        clock.advance(60)
        if number in {4, 8, 12}:
            async with database.sessions() as db:
                made.checkpoints.append(await Checkpoints(MASTER).take(db, now=clock.now()))
    return made


async def test_a_chain_that_nobody_touched_holds(written: Chain) -> None:
    verdict = await written.check(outside=True)
    assert verdict.problem is None
    assert (verdict.count, verdict.checkpoints, verdict.closed) == (12, 3, 0)
    assert verdict.sentence == "The chain holds; rows: 12; checkpoints that agree: 3."


async def test_an_empty_chain_holds(database: Database, clock: FakeClock) -> None:
    nothing = Chain(database, Audit(MASTER), clock, [], [])
    async with database.sessions() as db:
        nothing.checkpoints.append(await Checkpoints(MASTER).take(db, now=clock.now()))
    assert (await nothing.check(outside=True)).problem is None


Attack = Callable[[Chain], Awaitable[None]]


async def change_a_field(chain: Chain) -> None:
    await attacks.do(chain.database, "UPDATE audit_rows SET actor = NULL WHERE seq = 6")


async def change_a_time(chain: Chain) -> None:
    async with chain.database.engine.begin() as connection:
        await attacks.fences_down(connection)
        await connection.execute(
            text("UPDATE audit_rows SET at = (SELECT at FROM audit_rows WHERE seq = 1) WHERE seq = 6")
        )


async def change_a_detail(chain: Chain) -> None:
    await attacks.do(chain.database, "UPDATE audit_rows SET sealed = :bytes WHERE seq = 6", bytes=bytes(80))


async def change_a_detail_with_the_key(chain: Chain) -> None:
    await _reseal(chain, 6)


async def change_a_detail_and_its_commitment(chain: Chain) -> None:
    commitment = await _reseal(chain, 6)
    await attacks.do(
        chain.database, "UPDATE audit_rows SET commitment = :bytes WHERE seq = 6", bytes=commitment
    )


async def _reseal(chain: Chain, seq: int) -> bytes:
    """Seal another detail for a row as the service would have, with a nonce of one's own."""
    from accounts import chain as links
    from core.sealing import seal

    async with chain.database.engine.begin() as connection:
        await attacks.fences_down(connection)
        before, row = await attacks.rows(connection, seq - 1), (await attacks.rows(connection, seq))[0]
    async with chain.database.sessions.begin() as db:
        keys = {} if row.subject is None else await chain.audit.subjects.keys_of(db, subjects=[row.subject])
        key = chain.audit.key_for(row.subject, keys)
    assert key is not None
    fields = links.encode_fields(
        seq, attacks.when(row.at), tag=row.tag, actor=row.actor, subject=row.subject, object_id=row.object_id
    )
    plain = bytes(32) + links.encode_detail({"number": 666})
    sealed = seal(key, plain, about=links.about(bytes(before[0].hash), fields))
    await attacks.do(
        chain.database, "UPDATE audit_rows SET sealed = :bytes WHERE seq = :seq", bytes=sealed, seq=seq
    )
    return links.commit(bytes(32), links.encode_detail({"number": 666}))


async def swap_two_rows(chain: Chain) -> None:
    await attacks.do(
        chain.database,
        "UPDATE audit_rows SET seq = 1000 WHERE seq = 6",
        "UPDATE audit_rows SET seq = 6 WHERE seq = 7",
        "UPDATE audit_rows SET seq = 7 WHERE seq = 1000",
    )


async def swap_two_details(chain: Chain) -> None:
    """Rows 6 and 9 concern the same person, so that one key opens both."""
    await attacks.do(
        chain.database,
        "UPDATE audit_rows SET sealed = (SELECT b.sealed FROM audit_rows b WHERE b.seq = 9) WHERE seq = 6",
    )


async def take_one_out(chain: Chain) -> None:
    await attacks.do(chain.database, "DELETE FROM audit_rows WHERE seq = 6")


async def take_one_out_and_number_anew(chain: Chain) -> None:
    await attacks.do(chain.database, "DELETE FROM audit_rows WHERE seq = 6")
    for seq in range(7, 13):
        await attacks.do(
            chain.database, "UPDATE audit_rows SET seq = :new WHERE seq = :old", new=seq - 1, old=seq
        )
    await attacks.do(chain.database, "UPDATE audit_head SET count = 11")
    await attacks.rehash(chain.database, 6)


async def change_a_field_and_rehash(chain: Chain) -> None:
    await change_a_field(chain)
    await attacks.rehash(chain.database, 6)


async def cut_the_rows(chain: Chain) -> None:
    await attacks.cut(chain.database, 10, head_too=False)


async def cut_rows_and_head(chain: Chain) -> None:
    await attacks.cut(chain.database, 10, head_too=True)


async def cut_everything(chain: Chain) -> None:
    await attacks.do(
        chain.database,
        "DELETE FROM audit_rows",
        "UPDATE audit_head SET count = 0, hash = :zero",
        zero=bytes(32),
    )


async def put_one_behind(chain: Chain) -> None:
    await attacks.do(
        chain.database,
        "INSERT INTO audit_rows SELECT 13, at, tag, actor, subject, object_id, sealed, commitment, hash "
        "FROM audit_rows WHERE seq = 12",
    )


async def append_without_a_key(chain: Chain) -> None:
    await put_one_behind(chain)
    await attacks.do(chain.database, "UPDATE audit_head SET count = 13")
    await attacks.rehash(chain.database, 13)


async def change_the_head(chain: Chain) -> None:
    await attacks.do(chain.database, "UPDATE audit_head SET hash = :zero", zero=bytes(32))


async def take_the_head(chain: Chain) -> None:
    await attacks.do(chain.database, "DELETE FROM audit_head")


async def drop_a_key(chain: Chain) -> None:
    await attacks.do(
        chain.database, "UPDATE subject_keys SET wrapped = NULL WHERE user_id = :user", user=chain.users[0]
    )


async def take_a_key_out(chain: Chain) -> None:
    await attacks.do(chain.database, "DELETE FROM subject_keys WHERE user_id = :user", user=chain.users[0])


async def change_a_key(chain: Chain) -> None:
    await attacks.do(
        chain.database,
        "UPDATE subject_keys SET wrapped = :w WHERE user_id = :user",
        w=bytes(60),
        user=chain.users[0],
    )


async def rebuild_with_the_master_key(chain: Chain) -> None:
    await attacks.write_anew(chain.database, chain.audit, 6, without=6)


async def rebuild_everything_with_the_master_key(chain: Chain) -> None:
    await attacks.write_anew(chain.database, chain.audit, 2, without=2)
    await attacks.go_on(chain.database, chain.audit, None)


async def restore_an_old_backup(chain: Chain) -> None:
    await attacks.cut(chain.database, 7, head_too=True)


async def fork(chain: Chain) -> None:
    """An old backup is restored, and the service goes on from there, past where it had been."""
    await attacks.cut(chain.database, 7, head_too=True)
    await attacks.go_on(chain.database, chain.audit, *chain.users, *chain.users, *chain.users, None, None)


WITHOUT_A_CHECKPOINT: list[tuple[Attack, Problem, int | None]] = [
    (change_a_field, Problem.LINK, 6),
    (change_a_time, Problem.LINK, 6),
    (change_a_detail, Problem.SEAL, 6),
    (change_a_detail_with_the_key, Problem.DETAIL, 6),
    (change_a_detail_and_its_commitment, Problem.LINK, 6),
    (swap_two_rows, Problem.LINK, 6),
    (swap_two_details, Problem.SEAL, 6),
    (take_one_out, Problem.MISSING, 6),
    (take_one_out_and_number_anew, Problem.SEAL, 6),
    (change_a_field_and_rehash, Problem.SEAL, 6),
    (cut_the_rows, Problem.CUT, 10),
    (put_one_behind, Problem.SURPLUS, 13),
    (append_without_a_key, Problem.SEAL, 13),
    (change_the_head, Problem.END, 12),
    (take_the_head, Problem.NO_HEAD, None),
    (drop_a_key, Problem.KEY, 3),
    (take_a_key_out, Problem.KEY, 3),
    (change_a_key, Problem.KEY, 3),
]
ONLY_WITH_A_CHECKPOINT: list[tuple[Attack, Problem, int]] = [
    (cut_rows_and_head, Problem.BEYOND, 10),
    (cut_everything, Problem.BEYOND, 1),
    (restore_an_old_backup, Problem.BEYOND, 7),
    (fork, Problem.OTHER_PAST, 5),
    (rebuild_with_the_master_key, Problem.OTHER_PAST, 5),
    (rebuild_everything_with_the_master_key, Problem.OTHER_PAST, 1),
]


@pytest.mark.parametrize(
    ("attack", "problem", "row"), WITHOUT_A_CHECKPOINT, ids=lambda one: getattr(one, "__name__", "")
)
async def test_this_is_caught_without_a_checkpoint(
    attack: Attack, problem: Problem, row: int | None, written: Chain
) -> None:
    await attack(written)
    verdict = await written.check()
    assert (verdict.problem, verdict.row) == (problem, row)
    assert row is None or f"ow {row}" in verdict.sentence


@pytest.mark.parametrize(
    ("attack", "problem", "row"), ONLY_WITH_A_CHECKPOINT, ids=lambda one: getattr(one, "__name__", "")
)
async def test_this_is_caught_with_a_checkpoint_only(
    attack: Attack, problem: Problem, row: int, written: Chain
) -> None:
    await attack(written)
    assert (await written.check()).problem is None
    verdict = await written.check(outside=True)
    assert (verdict.problem, verdict.row) == (problem, row)
    assert f"ow {row}" in verdict.sentence
    assert verdict.checkpoint_at is not None
    assert verdict.checkpoint_at in verdict.sentence


async def test_rows_of_the_erased_can_be_written_anew_and_a_checkpoint_knows(written: Chain) -> None:
    """No key is left that could tell: this is what the seals cannot catch, and a checkpoint does."""
    await attacks.do(written.database, "UPDATE subject_keys SET wrapped = NULL")
    await attacks.do(written.database, "UPDATE audit_rows SET actor = NULL WHERE seq >= 12")
    await attacks.rehash(written.database, 12)
    assert (await written.check(erased=written.users)).problem is None
    verdict = await written.check(erased=written.users, outside=True)
    assert (verdict.problem, verdict.row) == (Problem.OTHER_PAST, 9)


async def test_a_checkpoint_of_somebody_else_is_not_believed(written: Chain) -> None:
    async with written.database.sessions() as db:
        foreign = await Checkpoints(bytes(32)).take(db, now=written.clock.now())
    for wrong in (foreign, replace(written.checkpoints[2], count=3), replace(written.checkpoints[2], at="x")):
        written.checkpoints[2] = wrong
        assert (await written.check(outside=True)).problem is Problem.SIGNATURE


async def test_checkpoints_are_read_from_a_file_and_from_a_letter(written: Chain) -> None:
    lines = [one.line() for one in written.checkpoints]
    assert read_lines("\n".join(lines)) == written.checkpoints
    letter = f"Dear auditor,\r\n\r\n> {lines[0]}\r\n\r\n{lines[1]}\r\n"
    assert read_lines(letter) == written.checkpoints[:2]
    for wrong in ("", "nothing", "{}", lines[0][:-5], lines[0].replace('"head":"', '"head":"zz')):
        with pytest.raises(Malformed):
            read_lines(wrong)


async def test_rows_that_come_meanwhile_harm_nothing(written: Chain) -> None:
    await attacks.go_on(written.database, written.audit, written.users[0], None)
    verdict = await written.check(outside=True)
    assert (verdict.problem, verdict.count) == (None, 14)


async def test_erasing_a_person_leaves_the_chain_whole(written: Chain) -> None:
    async with written.database.sessions.begin() as db:
        await written.audit.subjects.forget(db, subject=written.users[1])
        assert [row.detail for row in await written.audit.own(db, person=written.users[1])] == [None] * 4
    verdict = await written.check(erased=[written.users[1]], outside=True)
    assert (verdict.problem, verdict.closed) == (None, 4)
    assert "people who were erased: 4." in verdict.sentence


async def test_the_last_verification_is_kept(written: Chain) -> None:
    async with written.database.sessions.begin() as db:
        assert await last_verdict(db) is None
        await note(db, verdict=await written.check(outside=True))
    await cut_the_rows(written)
    written.clock.advance(1)
    async with written.database.sessions.begin() as db:
        await note(db, verdict=await written.check())
        kept = await last_verdict(db)
    assert kept is not None
    assert (kept.problem, kept.row, kept.count, kept.at) == (Problem.CUT, 10, 12, written.clock.now())
