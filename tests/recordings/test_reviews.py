"""Releases, grants, what was watched, comments and reviews, on a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import grants
from accounts.audit import Audit
from accounts.grants import Grant
from accounts.roles import Permission
from core.db import Database
from core.errors import Forbidden, InvalidInput, InvalidState, NotFound
from recordings import comments, reviews, rubric, watching
from recordings.comments import MAX_CHARS, Comments
from recordings.review_tables import RecordingReviewRow, ReviewCommentRow, ReviewOpeningRow
from recordings.reviews import Recording
from recordings.states import State
from recordings.tables import RecordingRow
from recordings.watching import GAP_MS, Watched, joined
from tests.fakes import FakeClock
from tests.recordings.staged import DURATION_MS, People, make_people, make_recording

SECRET = "what was heard at ten seconds"


@dataclass
class Staged:
    """One recording, its people, and a transaction that is never committed."""

    db: AsyncSession
    audit: Audit
    clock: FakeClock
    people: People
    id: str

    async def recording(self) -> Recording:
        return await reviews.find(self.db, recording=self.id)

    async def grant(self, hours: int = 1) -> Grant:
        return await reviews.open_up(
            self.db,
            self.audit,
            person=self.people.supervisor,
            recording=await self.recording(),
            purpose="to learn together",
            hours=hours,
            now=self.clock.now(),
        )

    async def played(self) -> Grant:
        grant = await self.grant()
        recording = await self.recording()
        await reviews.played(self.db, self.audit, grant, recording=recording, now=self.clock.now())
        return grant

    async def tags(self) -> list[str]:
        return await self.audit.tags(self.db)


@pytest.fixture
async def staged(database: Database, clock: FakeClock) -> AsyncIterator[Staged]:
    """Everything, rolled back at the end."""
    async with database.sessions() as db:
        people = await make_people(db, now=clock.now())
        made = await make_recording(db, client=people.client, counselor=people.counselor, now=clock.now())
        yield Staged(db, Audit(b"m" * 32), clock, people, made)


async def test_a_recording_is_found_with_its_sides(staged: Staged) -> None:
    recording = await staged.recording()
    assert [one.side.value for one in recording.sides] == ["client", "counselor"]
    assert recording.duration_ms == DURATION_MS
    assert not recording.released
    with pytest.raises(NotFound):
        recording.side("both")
    with pytest.raises(NotFound):
        await reviews.find(staged.db, recording="r_00000000000000000000")


async def test_its_counselor_releases_it_and_takes_that_back(staged: Staged) -> None:
    counselor = staged.people.counselor
    for _ in range(2):
        await reviews.release(
            staged.db, staged.audit, recording=staged.id, person=counselor, now=staged.clock.now()
        )
    assert (await staged.recording()).released
    grant = await staged.grant(24)
    await reviews.take_back(
        staged.db, staged.audit, recording=staged.id, person=counselor, now=staged.clock.now()
    )
    assert not (await staged.recording()).released
    held = await grants.current(
        staged.db,
        staged.audit,
        person=staged.people.supervisor,
        permission=Permission.REVIEW_RECORDINGS,
        subject=grant.subject,
        object_id=staged.id,
        now=staged.clock.now(),
    )
    assert held is None, "the grant ended with the release"
    await reviews.release(
        staged.db, staged.audit, recording=staged.id, person=counselor, now=staged.clock.now()
    )
    assert (await staged.recording()).released
    entries = await staged.audit.own(staged.db, person=staged.people.client.id)
    assert [one.tag for one in entries if one.tag.startswith("review:")] == [
        "review:release",
        "review:take-back",
        "review:release",
    ]


async def test_nobody_else_releases_it_and_nobody_one_that_is_closed(staged: Staged) -> None:
    for person in (staged.people.supervisor, staged.people.client):
        with pytest.raises(NotFound):
            await reviews.release(
                staged.db, staged.audit, recording=staged.id, person=person, now=staged.clock.now()
            )
    await staged.db.execute(update(RecordingRow).values(closed_at=staged.clock.now()))
    with pytest.raises(InvalidState):
        await reviews.release(
            staged.db,
            staged.audit,
            recording=staged.id,
            person=staged.people.counselor,
            now=staged.clock.now(),
        )


@pytest.mark.parametrize(("purpose", "hours"), [("", 1), ("x" * 201, 1)])
async def test_a_grant_takes_a_purpose(staged: Staged, purpose: str, hours: int) -> None:
    with pytest.raises(InvalidInput):
        await reviews.open_up(
            staged.db,
            staged.audit,
            person=staged.people.supervisor,
            recording=await staged.recording(),
            purpose=purpose,
            hours=hours,
            now=staged.clock.now(),
        )


async def test_a_grant_lasts_for_one_of_a_few_times(staged: Staged) -> None:
    with pytest.raises(Forbidden):
        await staged.grant(hours=25)
    grant = await staged.grant(hours=4)
    assert grant.expires_at == staged.clock.now() + timedelta(hours=4)


async def test_both_read_who_opened_it_what_for_and_what_was_watched(staged: Staged) -> None:
    grant = await staged.played()
    recording = await staged.recording()
    watched = [Watched(0, 5_000), Watched(5_200, 9_000), Watched(40_000, 44_000)]
    for one in watched:
        staged.clock.advance(5)
        await watching.watch(staged.db, grant, recording=recording, watched=one, now=staged.clock.now())
    for person in (staged.people.client, staged.people.counselor):
        (opening,) = await reviews.openings(
            staged.db, staged.audit, recording=recording, participant=person.id
        )
        assert opening.purpose == "to learn together"
        assert opening.viewer == staged.people.supervisor.id
        assert opening.played_at is not None
        assert [(one.from_ms, one.to_ms) for one in opening.watched] == [(0, 9_000), (40_000, 44_000)]
    for stranger in (staged.people.supervisor, staged.people.stranger):
        with pytest.raises(NotFound):
            await reviews.openings(staged.db, staged.audit, recording=recording, participant=stranger.id)
    sealed = await staged.db.scalar(select(ReviewOpeningRow.purpose))
    assert sealed is not None
    assert b"learn" not in sealed


async def test_a_stretch_that_is_done_stands_in_the_audit_once(staged: Staged) -> None:
    grant = await staged.played()
    recording = await staged.recording()
    await watching.watch(
        staged.db, grant, recording=recording, watched=Watched(0, 5_000), now=staged.clock.now()
    )
    staged.clock.advance(9)
    assert await watching.write_down(staged.db, staged.audit, now=staged.clock.now()) == 0
    staged.clock.advance(1)
    assert await watching.write_down(staged.db, staged.audit, now=staged.clock.now()) == 1
    assert await watching.write_down(staged.db, staged.audit, now=staged.clock.now()) == 0
    entries = await staged.audit.own(staged.db, person=staged.people.client.id, others_only=True)
    (told,) = [one for one in entries if one.tag == "review:watch"]
    assert told.detail == {"from_ms": 0, "to_ms": 5_000}
    assert told.actor == staged.people.supervisor.id
    await watching.watch(
        staged.db, grant, recording=recording, watched=Watched(5_000, 9_000), now=staged.clock.now()
    )
    staged.clock.advance(10)
    assert await watching.write_down(staged.db, staged.audit, now=staged.clock.now()) == 1


@pytest.mark.parametrize(
    ("before", "after", "both"),
    [
        (Watched(0, 5_000), Watched(5_000, 9_000), Watched(0, 9_000)),
        (Watched(0, 5_000), Watched(5_000 + GAP_MS, 9_000), Watched(0, 9_000)),
        (Watched(0, 5_000), Watched(5_001 + GAP_MS, 9_000), None),
        (Watched(5_000, 9_000), Watched(0, 3_000), None),
        (Watched(5_000, 9_000), Watched(6_000, 7_000), Watched(5_000, 9_000)),
    ],
)
def test_stretches_that_follow_each_other_are_one(
    before: Watched, after: Watched, both: Watched | None
) -> None:
    assert joined(before, after) == both


@pytest.mark.parametrize(
    ("from_ms", "to_ms"), [(-1, 5), (5, 4), (0, DURATION_MS + GAP_MS + 1), (0, 2**40), (-(2**40), 0)]
)
async def test_what_nobody_can_have_watched_is_refused(staged: Staged, from_ms: int, to_ms: int) -> None:
    grant, recording = await staged.played(), await staged.recording()
    with pytest.raises(InvalidInput):
        await watching.watch(
            staged.db,
            grant,
            recording=recording,
            watched=Watched(from_ms, to_ms),
            now=staged.clock.now(),
        )


async def test_nothing_is_done_with_a_grant_that_has_ended(staged: Staged) -> None:
    grant, recording = await staged.played(), await staged.recording()
    staged.clock.advance(3_600)
    now = staged.clock.now()
    with pytest.raises(Forbidden):
        await watching.watch(staged.db, grant, recording=recording, watched=Watched(0, 1), now=now)
    with pytest.raises(Forbidden):
        await Comments(staged.audit).add(
            staged.db, grant, recording=recording, at_ms=0, text="too late", now=now
        )


async def test_a_comment_is_edited_by_its_author_and_answered_by_the_counselor(staged: Staged) -> None:
    grant, recording = await staged.played(), await staged.recording()
    kept, now = Comments(staged.audit), staged.clock.now()
    supervisor, counselor = staged.people.supervisor, staged.people.counselor
    number = await kept.add(staged.db, grant, recording=recording, at_ms=10_000, text=f" {SECRET} ", now=now)
    await kept.edit(
        staged.db, recording=recording, comment=number, author=supervisor, text=f"{SECRET}!", now=now
    )
    for other in (counselor, staged.people.stranger, staged.people.client):
        with pytest.raises(NotFound):
            await kept.edit(
                staged.db, recording=recording, comment=number, author=other, text="mine", now=now
            )
        with pytest.raises(NotFound):
            await kept.remove(staged.db, recording=recording, comment=number, author=other, now=now)
    with pytest.raises(NotFound):
        await kept.answer(
            staged.db, recording=recording, comment=number, counselor=supervisor, text="me", now=now
        )
    await kept.answer(
        staged.db, recording=recording, comment=number, counselor=counselor, text="Thank you", now=now
    )
    (one,) = await kept.listed(staged.db, recording=recording)
    assert (one.at_ms, one.text, one.answer) == (10_000, f"{SECRET}!", "Thank you")
    assert one.edited_at == now
    row = await staged.db.get(ReviewCommentRow, number)
    assert row is not None
    assert row.answer is not None
    assert SECRET.encode() not in row.text
    assert b"Thank" not in row.answer
    await kept.remove(staged.db, recording=recording, comment=number, author=supervisor, now=now)
    assert await kept.listed(staged.db, recording=recording) == []


@pytest.mark.parametrize(
    ("at_ms", "text"), [(-1, "x"), (DURATION_MS + 1, "x"), (0, " "), (0, "x" * (MAX_CHARS + 1))]
)
async def test_a_comment_has_a_moment_and_words(staged: Staged, at_ms: int, text: str) -> None:
    grant, recording = await staged.played(), await staged.recording()
    with pytest.raises(InvalidInput):
        await Comments(staged.audit).add(
            staged.db, grant, recording=recording, at_ms=at_ms, text=text, now=staged.clock.now()
        )


async def test_without_the_consents_its_author_alone_reads_it_for_30_days(staged: Staged) -> None:
    grant, recording = await staged.played(), await staged.recording()
    kept, supervisor, counselor = Comments(staged.audit), staged.people.supervisor, staged.people.counselor
    number = await kept.add(
        staged.db, grant, recording=recording, at_ms=1, text=SECRET, now=staged.clock.now()
    )
    assert await comments.commented(staged.db) == [staged.id]
    await comments.hide(staged.db, recordings=[staged.id], now=staged.clock.now())
    assert await kept.hidden_of(staged.db, author=counselor.id) == []
    (one,) = await kept.hidden_of(staged.db, author=supervisor.id)
    assert (one.recording, one.comment.text) == (staged.id, SECRET)
    assert one.until == staged.clock.now() + comments.KEPT
    with pytest.raises(NotFound):
        await kept.answer(
            staged.db,
            recording=recording,
            comment=number,
            counselor=counselor,
            text="blind",
            now=staged.clock.now(),
        )
    staged.clock.advance(29 * 86_400)
    await comments.hide(staged.db, recordings=[staged.id], now=staged.clock.now())
    await comments.prune(staged.db, now=staged.clock.now())
    assert await comments.commented(staged.db) == [staged.id]
    staged.clock.advance(86_400)
    await comments.prune(staged.db, now=staged.clock.now())
    assert await comments.commented(staged.db) == []


async def test_consents_that_come_back_in_time_show_them_again(staged: Staged) -> None:
    grant, recording = await staged.played(), await staged.recording()
    await Comments(staged.audit).add(
        staged.db, grant, recording=recording, at_ms=1, text=SECRET, now=staged.clock.now()
    )
    await comments.hide(staged.db, recordings=[staged.id], now=staged.clock.now())
    await comments.show(staged.db, recordings=[staged.id])
    staged.clock.advance(60 * 86_400)
    await comments.prune(staged.db, now=staged.clock.now())
    assert await comments.commented(staged.db) == [staged.id]


async def test_comments_go_with_the_media(staged: Staged) -> None:
    grant, recording = await staged.played(), await staged.recording()
    await Comments(staged.audit).add(
        staged.db, grant, recording=recording, at_ms=1, text=SECRET, now=staged.clock.now()
    )
    await staged.db.execute(update(RecordingRow).values(state=State.DESTROYING.value))
    await comments.prune(staged.db, now=staged.clock.now())
    assert await comments.commented(staged.db) == []


WHOLE = dict.fromkeys(rubric.QUESTIONS, "3") | {"risk": rubric.NOT_SEEN}


async def test_a_review_is_a_draft_until_it_is_submitted_and_then_stays(staged: Staged) -> None:
    await staged.played()
    recording, supervisor, counselor = (
        await staged.recording(),
        staged.people.supervisor,
        staged.people.counselor,
    )

    async def save(scores: dict[str, str], words: str, *, submit: bool) -> None:
        await rubric.save(
            staged.db,
            staged.audit,
            recording=recording,
            person=supervisor,
            scores=scores,
            words=words,
            submit=submit,
            now=staged.clock.now(),
        )

    await save({"relation": "4", "nonsense": "3", "limits": "9"}, "so far", submit=False)
    draft = await rubric.find(staged.db, staged.audit, recording=recording, reviewer=supervisor.id)
    assert draft is not None
    assert (draft.scores, draft.words, draft.submitted_at) == ({"relation": "4"}, "so far", None)
    assert await rubric.submitted(staged.db, staged.audit, counselor=counselor.id) == []
    with pytest.raises(InvalidInput) as missing:
        await save({"relation": "4"}, "", submit=True)
    assert len(missing.value.misfits) == len(rubric.QUESTIONS) - 1
    await save(WHOLE, "Calm and clear.", submit=True)
    (told,) = await rubric.submitted(staged.db, staged.audit, counselor=counselor.id)
    assert (told.scores, told.words) == (WHOLE, "Calm and clear.")
    with pytest.raises(InvalidState):
        await save(WHOLE, "other words", submit=False)
    sealed = await staged.db.scalar(select(RecordingReviewRow.words))
    assert sealed is not None
    assert b"Calm" not in sealed
    assert await rubric.by_reviewer(staged.db, reviewer=supervisor.id) == {staged.id: True}


async def test_who_did_not_watch_it_reviews_nothing(staged: Staged) -> None:
    await staged.grant()
    for person in (staged.people.supervisor, staged.people.counselor, staged.people.stranger):
        with pytest.raises(Forbidden):
            await rubric.save(
                staged.db,
                staged.audit,
                recording=await staged.recording(),
                person=person,
                scores=WHOLE,
                words="",
                submit=True,
                now=staged.clock.now(),
            )
