from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, select

from accounts import grants, notices, people
from accounts.grants import Grant
from accounts.people import Person
from accounts.roles import Permission, Role
from accounts.tables import UserRow
from core.errors import Forbidden, InvalidInput, InvalidState, NotFound
from core.ids import UserId
from counseling import thread_lists, thread_reading, threads
from counseling.message_tables import MessageRow
from counseling.thread_reading import Leaf
from counseling.threads import MAX_TEXT_CHARS, Taken, Thread
from counseling.way_tables import TalkRow
from tests.counseling.conftest import Desk

HOUR = timedelta(hours=1)
SECRET = "Aku takut pulang ke rumah."


async def client_of(desk: Desk, name: str = "Embun") -> Person:
    async with desk.database.sessions.begin() as db:
        return await people.create_client(db, name=name, language="id", adult=True, now=desk.clock.now())


async def leave(desk: Desk, client: Person, text: str = SECRET, *, hours: int = 24) -> Thread:
    async with desk.database.sessions.begin() as db:
        return await threads.leave(
            db,
            desk.audit,
            client=client,
            language="id",
            topic="family",
            text=text,
            due_at=desk.clock.now() + hours * HOUR,
            now=desk.clock.now(),
        )


async def take(desk: Desk, counselor: Person, thread: str, due_at: datetime | None = None) -> Thread:
    async with desk.database.sessions.begin() as db:
        return await threads.take(
            db, desk.audit, counselor=counselor, thread=thread, due_at=due_at, now=desk.clock.now()
        )


async def reply(desk: Desk, person: Person, thread: str, text: str, due_at: datetime | None = None) -> Thread:
    async with desk.database.sessions.begin() as db:
        return await threads.reply(
            db, desk.audit, person=person, thread=thread, text=text, due_at=due_at, now=desk.clock.now()
        )


async def grant_for(desk: Desk, counselor: Person, client: UserId, thread: str) -> Grant:
    async with desk.database.sessions.begin() as db:
        return await grants.give(
            db,
            desk.audit,
            person=counselor,
            permission=Permission.READ_MESSAGES,
            subject=client,
            object_id=thread,
            purpose="reply",
            now=desk.clock.now(),
        )


async def opened(desk: Desk, counselor: Person, client: UserId, thread: str) -> Leaf:
    grant = await grant_for(desk, counselor, client, thread)
    async with desk.database.sessions.begin() as db:
        return (await thread_reading.opened(db, grant, desk.audit, thread=thread, now=desk.clock.now()))[1]


async def own(desk: Desk, client: Person, thread: str, before: int | None = None) -> Leaf:
    async with desk.database.sessions() as db:
        return (await thread_reading.own(db, desk.audit, client=client, thread=thread, before=before))[1]


async def talked(desk: Desk, client: Person, counselor: Person) -> None:
    async with desk.database.sessions.begin() as db:
        db.add(
            TalkRow(
                id="k_" + client.id[2:],
                walkin_id=None,
                client_id=client.id,
                counselor_id=counselor.id,
                session_id=None,
                medium="in_person",
                reasons=[],
                shares_history=False,
                begun_at=desk.clock.now(),
                ended_at=desk.clock.now(),
            )
        )


async def kinds(desk: Desk, user: UserId) -> list[str]:
    async with desk.database.sessions() as db:
        return [one.kind for one in await notices.inbox(db, user=user)]


def texts(leaf: Leaf) -> Sequence[str]:
    return [one.text for one in leaf.messages]


async def test_a_message_waits_and_is_taken_and_answered(desk: Desk) -> None:
    embun, ratna = await client_of(desk), await desk.make(Role.COUNSELOR)
    left = await leave(desk, embun)
    assert left.waits
    async with desk.database.sessions() as db:
        (waits,) = await thread_lists.waiting(db)
    assert (waits.id, waits.topic, waits.language, waits.since) == (left.id, "family", "id", desk.clock.now())
    desk.clock.advance(3600)
    taken = await take(desk, ratna, left.id)
    assert (taken.counselor, taken.waits) == (ratna.id, False)
    assert texts(await opened(desk, ratna, embun.id, left.id)) == [SECRET]
    await reply(desk, ratna, left.id, "Terima kasih sudah menulis.")
    leaf = await own(desk, embun, left.id)
    assert [(one.by_client, one.is_new, one.kept) for one in leaf.messages] == [
        (True, False, None),
        (False, True, True),
    ]
    assert await kinds(desk, embun.id) == ["message_new"]
    async with desk.database.sessions() as db:
        assert await thread_lists.waiting(db) == []
        kept = await thread_lists.measure(db, counselor=ratna.id, now=desk.clock.now())
        tags = [row.tag for row in await desk.audit.own(db, person=embun.id)]
    assert (kept.promised, kept.in_time, kept.median_hours) == (1, 1, 1.0)
    assert tags == ["message:send", "grant:give", "thread:take", "message:send", "thread:open"]


async def test_what_is_written_stands_nowhere_in_the_open(desk: Desk) -> None:
    embun = await client_of(desk)
    await leave(desk, embun)
    async with desk.database.sessions() as db:
        (row,) = await db.scalars(select(MessageRow))
    assert b"takut" not in row.text


async def test_one_message_waits_for_each_client(desk: Desk) -> None:
    embun = await client_of(desk)
    first = await leave(desk, embun)
    desk.clock.advance(60)
    again = await leave(desk, embun, "Masih di sini.")
    assert again.id == first.id
    assert again.owed_since == first.owed_since
    assert again.due_at == first.due_at, "a promise that was made stays"
    assert texts(await own(desk, embun, first.id)) == [SECRET, "Masih di sini."]


async def test_of_two_who_take_it_at_once_one_has_it(desk: Desk) -> None:
    embun = await client_of(desk)
    left = await leave(desk, embun)
    both = [await desk.make(Role.COUNSELOR, name=name) for name in ("Ratna", "Bima")]
    results = await asyncio.gather(*(take(desk, one, left.id) for one in both), return_exceptions=True)
    won = [one for one in results if isinstance(one, Thread)]
    assert len(won) == 1
    assert [type(one) for one in results if not isinstance(one, Thread)] == [Taken]
    winner = next(one for one in both if one.id == won[0].counselor)
    assert (await take(desk, winner, left.id)).counselor == winner.id, "taken twice it is taken once"
    loser = next(one for one in both if one.id != won[0].counselor)
    with pytest.raises(NotFound):
        await reply(desk, loser, left.id, "Halo")
    with pytest.raises(NotFound):
        await opened(desk, loser, embun.id, left.id)


async def test_a_grant_for_another_thread_opens_nothing(desk: Desk) -> None:
    embun, awan = await client_of(desk), await client_of(desk, "Awan")
    ratna = await desk.make(Role.COUNSELOR)
    hers, his = await leave(desk, embun), await leave(desk, awan)
    for one in (hers, his):
        await take(desk, ratna, one.id)
    grant = await grant_for(desk, ratna, embun.id, hers.id)
    with pytest.raises(Forbidden):
        async with desk.database.sessions() as db:
            await thread_reading.opened(db, grant, desk.audit, thread=his.id, now=desk.clock.now())
    with pytest.raises(NotFound):
        await own(desk, awan, hers.id)


async def test_taking_it_brings_the_promise_nearer_and_never_further(desk: Desk) -> None:
    ratna = await desk.make(Role.COUNSELOR)
    now = desk.clock.now()
    first, second = [await leave(desk, await client_of(desk, name)) for name in ("Embun", "Awan")]
    assert (await take(desk, ratna, first.id, now + 2 * HOUR)).due_at == now + 2 * HOUR
    assert (await take(desk, ratna, second.id, now + 90 * HOUR)).due_at == now + 24 * HOUR


async def test_a_client_writes_by_name_to_whom_they_know(desk: Desk) -> None:
    embun, ratna = await client_of(desk), await desk.make(Role.COUNSELOR)
    stranger = await desk.make(Role.COUNSELOR, name="Bima")
    await talked(desk, embun, ratna)

    async def write(counselor: Person) -> Thread:
        async with desk.database.sessions.begin() as db:
            return await threads.write_to(
                db,
                desk.audit,
                client=embun,
                counselor=counselor.id,
                text="Halo",
                due_at=desk.clock.now() + HOUR,
                now=desk.clock.now(),
            )

    made = await write(ratna)
    assert (await write(ratna)).id == made.id, "two people have one thread"
    assert await kinds(desk, ratna.id) == ["message_client"], "one notice until it is read"
    with pytest.raises(NotFound):
        await write(stranger)
    async with desk.database.sessions() as db:
        assert await threads.known(db, client=embun.id, now=desk.clock.now()) == [ratna.id]
        (listed,) = await thread_lists.of_counselor(db, counselor=ratna.id)
        assert listed.unread == await thread_lists.unread(db, user=ratna.id) == 2


async def test_a_counselor_writes_first_to_whom_they_talked_with(desk: Desk) -> None:
    embun, ratna = await client_of(desk), await desk.make(Role.COUNSELOR)

    async def begin() -> Thread:
        async with desk.database.sessions.begin() as db:
            return await threads.begin(
                db, desk.audit, counselor=ratna, client=embun.id, text="Kabar?", now=desk.clock.now()
            )

    with pytest.raises(NotFound):
        await begin()
    await talked(desk, embun, ratna)
    made = await begin()
    assert made.owed_since is None
    assert texts(await own(desk, embun, made.id)) == ["Kabar?"]


async def test_what_was_seen_is_not_new_and_what_came_meanwhile_is(desk: Desk) -> None:
    embun, ratna = await client_of(desk), await desk.make(Role.COUNSELOR)
    left = await leave(desk, embun)
    await take(desk, ratna, left.id)
    for text in ("Satu", "Dua"):
        await reply(desk, ratna, left.id, text)
    async with desk.database.sessions.begin() as db:
        await thread_reading.mark_read(db, person=embun, thread=left.id, number=2)
        await thread_reading.mark_read(db, person=embun, thread=left.id, number=1)
        await thread_reading.mark_read(db, person=ratna, thread=left.id, number=3)
        assert await thread_lists.unread(db, user=embun.id) == 1
    assert [one.is_new for one in (await own(desk, embun, left.id)).messages] == [False, False, True]


@pytest.mark.parametrize("text", ["", "  \r\n ", "a" * (MAX_TEXT_CHARS + 1)])
async def test_nothing_and_too_much_are_not_sent(desk: Desk, text: str) -> None:
    embun = await client_of(desk)
    with pytest.raises(InvalidInput):
        await leave(desk, embun, text)
    async with desk.database.sessions() as db:
        assert await thread_lists.of_client(db, client=embun.id) == []


async def test_a_long_thread_is_read_page_by_page(desk: Desk) -> None:
    embun = await client_of(desk)
    left = await leave(desk, embun, "0")
    for number in range(1, thread_reading.PAGE + 2):
        await reply(desk, embun, left.id, str(number))
    last = await own(desk, embun, left.id)
    assert (texts(last)[0], texts(last)[-1]) == ("2", str(thread_reading.PAGE + 1))
    first = await own(desk, embun, left.id, before=last.older)
    assert (texts(first), first.older) == (["0", "1"], None)


async def test_a_late_answer_is_told_once_and_measured(desk: Desk) -> None:
    embun, awan = await client_of(desk), await client_of(desk, "Awan")
    ratna, dewi = await desk.make(Role.COUNSELOR), await desk.make(Role.ADMIN, name="Dewi")
    hers, his = await leave(desk, embun), await leave(desk, awan)
    await take(desk, ratna, hers.id)
    desk.clock.advance(24 * 3600 + 1)
    for expected in (2, 0):
        async with desk.database.sessions.begin() as db:
            assert await thread_lists.tell_late(db, now=desk.clock.now()) == expected
    assert await kinds(desk, ratna.id) == ["message_late"]
    assert await kinds(desk, dewi.id) == ["messages_untaken"]
    await reply(desk, ratna, hers.id, "Maaf, terlambat.")
    async with desk.database.sessions() as db:
        kept = await thread_lists.measure(db, counselor=ratna.id, now=desk.clock.now())
        (waits,) = await thread_lists.waiting(db)
    assert (kept.promised, kept.in_time) == (1, 0)
    assert waits.id == his.id
    assert (await own(desk, embun, hers.id)).messages[-1].kept is False


async def test_a_late_answer_of_who_works_here_no_more_is_told_to_the_admins(desk: Desk) -> None:
    ratna, dewi = await desk.make(Role.COUNSELOR), await desk.make(Role.ADMIN, name="Dewi")
    left = await leave(desk, await client_of(desk))
    await take(desk, ratna, left.id)
    desk.clock.advance(24 * 3600 + 1)
    async with desk.database.sessions.begin() as db:
        await people.disable(db, user=ratna.id, at=desk.clock.now())
        assert await thread_lists.tell_late(db, now=desk.clock.now()) == 1
    assert await kinds(desk, ratna.id) == []
    assert await kinds(desk, dewi.id) == ["messages_untaken"]


async def test_a_thread_whose_counselor_has_gone_is_read_and_not_written(desk: Desk) -> None:
    embun, ratna = await client_of(desk), await desk.make(Role.COUNSELOR)
    left = await leave(desk, embun)
    await take(desk, ratna, left.id)
    async with desk.database.sessions.begin() as db:
        await db.execute(delete(UserRow).where(UserRow.id == ratna.id))
    async with desk.database.sessions() as db:
        found = await threads.find(db, thread=left.id)
        assert found.left
        assert await thread_lists.waiting(db) == [], "what one counselor read does not go to the next"
    assert texts(await own(desk, embun, left.id)) == [SECRET]
    with pytest.raises(InvalidState):
        await reply(desk, embun, left.id, "Halo?")
    assert (await leave(desk, embun, "Aku mulai lagi.")).id != left.id


async def test_who_is_leaving_is_gone_for_the_counselor_at_once(desk: Desk) -> None:
    embun, awan = await client_of(desk), await client_of(desk, "Awan")
    ratna = await desk.make(Role.COUNSELOR)
    hers = await leave(desk, embun)
    await leave(desk, awan)
    await take(desk, ratna, hers.id)
    async with desk.database.sessions.begin() as db:
        for one in (embun, awan):
            await people.leave(db, user=one.id, at=desk.clock.now() + 72 * HOUR)
        assert await thread_lists.of_counselor(db, counselor=ratna.id) == []
        assert await thread_lists.waiting(db) == []
    with pytest.raises(NotFound):
        await reply(desk, ratna, hers.id, "Halo")


async def test_old_threads_go_with_all_that_was_said(desk: Desk) -> None:
    embun, awan = await client_of(desk), await client_of(desk, "Awan")
    await leave(desk, embun)
    desk.clock.advance(2 * 24 * 3600)
    stays = await leave(desk, awan)
    desk.clock.advance(364 * 24 * 3600)
    async with desk.database.sessions.begin() as db:
        assert await thread_lists.prune(db, days=365, now=desk.clock.now()) == 1
        assert [row.thread_id for row in await db.scalars(select(MessageRow))] == [stays.id]


async def test_erasing_a_client_takes_every_word(desk: Desk) -> None:
    embun, ratna = await client_of(desk), await desk.make(Role.COUNSELOR)
    left = await leave(desk, embun)
    await take(desk, ratna, left.id)
    await reply(desk, ratna, left.id, "Aku di sini.")
    async with desk.database.sessions.begin() as db:
        await db.execute(delete(UserRow).where(UserRow.id == embun.id))
    async with desk.database.sessions() as db:
        assert list(await db.scalars(select(MessageRow))) == []
        assert await thread_lists.of_counselor(db, counselor=ratna.id) == []


async def test_one_of_many_that_wait_is_found(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread_lists, "MOST_WAITING", 1)
    first = await leave(desk, await client_of(desk))
    desk.clock.advance(60)
    second = await leave(desk, await client_of(desk, "Awan"))
    async with desk.database.sessions() as db:
        assert [one.id for one in await thread_lists.waiting(db)] == [first.id]
        assert [one.id for one in await thread_lists.waiting(db, thread=second.id)] == [second.id]
    await take(desk, await desk.make(Role.COUNSELOR), second.id)
    async with desk.database.sessions() as db:
        assert await thread_lists.waiting(db, thread=second.id) == []
