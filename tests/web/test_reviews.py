"""The pages of reviews: the list, opening for a purpose, comments, the rubric, and the counselor's side."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from accounts.notice_tables import NoticeRow
from recordings import comments, rubric
from recordings.moving import NOT_COMPLETE
from recordings.states import Side, State
from recordings.tables import RecordingPauseRow, RecordingRow, RecordingSideRow
from tests.fakes import FakeClock
from tests.web.browsing import get, post, send
from tests.web.conftest import Client
from tests.web.reviewed import Reviewed, consent_to_supervision, reviewed
from tests.web.test_review_media import End, take_back, withdraw_consent
from web.pages.review_forms import read_moment, say_moment
from web.reviews import keep_comments, write_down_watched

LIST = "/supervisor/recordings"
PURPOSE = "to talk about how it began"


@pytest.fixture
async def staged(client: Client) -> Reviewed:
    """A recording that the supervisor may open."""
    return await reviewed(client)


async def opened(staged: Reviewed) -> None:
    """Log the supervisor in and open the recording, by its own form."""
    await staged.as_(staged.sari)
    led = await send(staged.client, f"{staged.page}/open", _page=staged.page, purpose=PURPOSE, hours="4")
    assert (led.status, led.location) == (303, staged.page)


async def comment(staged: Reviewed, *, at: str = "0:12", text: str = "A good silence.") -> str:
    """Write a comment by its form; gives its id."""
    led = await send(staged.client, f"{staged.page}/comments", _page=staged.page, at=at, text=text)
    assert led.status == 303, led.text
    return led.location.rpartition("#")[2]


async def test_the_list_has_what_may_be_opened_and_says_how_far_the_review_is(staged: Reviewed) -> None:
    await staged.as_(staged.sari)
    page = await get(staged.client, LIST)
    assert staged.page in page.text
    assert "ratna" in page.text
    assert "Embun" not in page.text
    assert "Not begun" in page.text
    await staged.as_(staged.stranger)
    assert staged.id not in (await get(staged.client, LIST)).text
    for person in (staged.embun, staged.ratna, staged.dewi):
        await staged.as_(person)
        assert (await get(staged.client, LIST)).status == 403


@pytest.mark.parametrize(
    "change",
    [
        {"state": State.FINALIZING.value},
        {"state": State.DESTROYED.value},
        {"closed_at": True},
        {"open_from": None},
        {"client_user": None},
    ],
)
async def test_what_may_not_be_opened_is_neither_listed_nor_found(
    staged: Reviewed, change: dict[str, object]
) -> None:
    if "closed_at" in change:
        change = {"closed_at": staged.services.now()}
    async with staged.services.database.sessions.begin() as db:
        await db.execute(update(RecordingRow).values(**change))
    await staged.as_(staged.sari)
    assert staged.id not in (await get(staged.client, LIST)).text
    assert (await get(staged.client, staged.page)).status == 404


async def test_what_broke_off_is_called_so(staged: Reviewed) -> None:
    said = ["The client&#39;s side broke off", "The counselor&#39;s side broke off"]
    await opened(staged)
    page = await get(staged.client, staged.page)
    assert [words in page.text for words in said] == [False, False]
    async with staged.services.database.sessions.begin() as db:
        await db.execute(
            update(RecordingSideRow)
            .where(RecordingSideRow.side == Side.COUNSELOR.value)
            .values(problem=NOT_COMPLETE)
        )
    page = await get(staged.client, staged.page)
    assert [words in page.text for words in said] == [False, True]


async def test_the_hold_of_72_hours_is_kept(staged: Reviewed) -> None:
    async with staged.services.database.sessions.begin() as db:
        await db.execute(update(RecordingRow).values(open_from=staged.services.now().replace(year=2030)))
    await staged.as_(staged.sari)
    assert (await get(staged.client, staged.page)).status == 404


async def test_it_opens_for_a_purpose_and_a_while_and_closes(staged: Reviewed, clock: FakeClock) -> None:
    await staged.as_(staged.sari)
    asks = await get(staged.client, staged.page)
    assert "data-player" not in asks.text
    assert "What do you open it for?" in asks.text
    wrong = await send(staged.client, f"{staged.page}/open", _page=staged.page, purpose="", hours="4")
    assert wrong.status == 422
    wrong = await send(staged.client, f"{staged.page}/open", _page=staged.page, purpose="ab", hours="4")
    assert "Write 3 to 200 characters." in wrong.text
    for hours in ("25", "-1", "x"):
        wrong = await send(
            staged.client, f"{staged.page}/open", _page=staged.page, purpose=PURPOSE, hours=hours
        )
        assert wrong.status == 422, hours
    await opened(staged)
    page = await get(staged.client, staged.page)
    assert page.text.count("<video") == 2
    assert PURPOSE in page.text
    assert page.text.count("<span>sari · ") == 12, "whoever photographs it photographs the name"
    assert "Embun" not in page.text
    assert 'src="/api' not in page.text.replace('data-src="/api', ""), (
        "a page without script asks for no media"
    )
    assert (
        await post(staged.client, f"{staged.page}/close", page.form(f"{staged.page}/close"))
    ).status == 303
    assert "data-player" not in (await get(staged.client, staged.page)).text
    await opened(staged)
    clock.advance(4 * 3_600 + 1)
    await staged.as_(staged.sari)
    assert "data-player" not in (await get(staged.client, staged.page)).text


async def test_the_timeline_shows_both_lines_what_happened_and_what_was_off_the_record(
    staged: Reviewed,
) -> None:
    async with staged.services.database.sessions.begin() as db:
        db.add(RecordingPauseRow(recording_id=staged.id, by="client", from_ms=15_000, to_ms=30_000))
    await opened(staged)
    text = (await get(staged.client, staged.page)).text
    assert text.count('<svg class="lane-shapes') == 3
    assert '<rect class="g-poor"' in text
    assert text.count('<rect class="g-pause" x="250.0" width="250.0"') == 2
    assert '<rect class="m-line"' in text
    assert '<rect class="m-mode"' in text
    assert "style=" not in text


async def test_a_comment_is_added_edited_answered_and_deleted(staged: Reviewed) -> None:
    await opened(staged)
    for at, words in (("nonsense", "x"), ("1:01", "x"), ("99:00", "x"), ("0:10", ""), ("0:10", "x" * 2_001)):
        wrong = await send(staged.client, f"{staged.page}/comments", _page=staged.page, at=at, text=words)
        assert wrong.status == 422, at
    number = await comment(staged)
    path = f"{staged.page}/comments/{number}"
    assert (await send(staged.client, path, _page=staged.page, text="A very good silence.")).status == 303
    page = await get(staged.client, staged.page)
    assert 'data-go="12000"' in page.text
    assert "A very good silence." in page.text
    assert '<rect class="m-comment"' in page.text

    await staged.as_(staged.ratna)
    own = await get(staged.client, staged.own_page)
    assert "A very good silence." in own.text
    answered = await send(
        staged.client, f"{staged.own_page}/comments/{number}", _page=staged.own_page, text="Thank you."
    )
    assert answered.status == 303

    await staged.as_(staged.sari)
    page = await get(staged.client, staged.page)
    assert "Thank you." in page.text
    assert "ratna answered" in page.text
    async with staged.services.database.sessions() as db:
        kinds = set(await db.scalars(select(NoticeRow.kind).where(NoticeRow.user_id == staged.sari.id)))
    assert "review_answered" in kinds
    gone = await post(staged.client, path, page.form(path) | {"remove": "1"})
    assert gone.status == 303
    assert "Thank you." not in (await get(staged.client, staged.page)).text


async def test_words_that_are_none_are_told_where_they_were_typed(staged: Reviewed) -> None:
    await opened(staged)
    numbers = [await comment(staged, text=words) for words in ("A good silence.", "Here it turns.")]
    await wrong_words(staged, staged.page, numbers)
    await staged.as_(staged.ratna)
    await wrong_words(staged, staged.own_page, numbers)


async def wrong_words(staged: Reviewed, page: str, numbers: list[str]) -> None:
    path = f"{page}/comments/{numbers[1]}"
    for words, said in (
        ("", "This is still empty."),
        (" ", "This is still empty."),
        ("x" * 2_001, "This is too long."),
    ):
        wrong = await send(staged.client, path, _page=page, text=words)
        assert wrong.status == 422
        assert f'href="#words-{numbers[1]}"' in wrong.text
        assert f'id="words-{numbers[1]}-wrong">{said}' in wrong.text
        assert f'id="words-{numbers[0]}-wrong"' not in wrong.text
        assert wrong.text.count("<details open>") == 1
        assert "A good silence." in wrong.text


async def test_nobody_comments_without_a_grant_or_changes_what_others_said(staged: Reviewed) -> None:
    await opened(staged)
    number = await comment(staged)
    page = await get(staged.client, staged.page)
    fields = page.form(f"{staged.page}/comments")
    edits = page.form(f"{staged.page}/comments/{number}")
    await post(staged.client, f"{staged.page}/close", page.form(f"{staged.page}/close"))
    late = await post(staged.client, f"{staged.page}/comments", fields | {"at": "0:01", "text": "late"})
    assert late.status == 403
    late = await post(staged.client, f"{staged.page}/comments/{number}", edits | {"text": "late"})
    assert late.status == 403


async def test_the_review_is_kept_as_a_draft_and_submitted_once(staged: Reviewed) -> None:
    await opened(staged)
    assert (await staged.play(headers={"Range": "bytes=0-9"}))[0] == 206
    path = f"{staged.page}/review"
    drafted = await send(staged.client, path, _page=staged.page, relation="4", words="So far.")
    assert drafted.location.endswith("?done=review_saved")
    page = await get(staged.client, staged.page)
    assert page.form(path)["relation"] == "4"
    assert "So far." in page.text
    await staged.as_(staged.ratna)
    assert "So far." not in (await get(staged.client, "/counselor/reviews")).text

    await staged.as_(staged.sari)
    missing = await send(staged.client, path, _page=staged.page, submit="1")
    assert missing.status == 422
    assert missing.text.count("Choose a score, or say that it is not seen here.") >= len(rubric.QUESTIONS) - 1
    whole = dict.fromkeys(rubric.QUESTIONS, "3") | {"risk": "not_seen", "words": "Calm and clear."}
    done = await send(staged.client, path, _page=staged.page, submit="1", **whole)
    assert done.location.endswith("?done=review_submitted")
    page = await get(staged.client, staged.page)
    assert "You submitted this review" in page.text
    assert f'action="{path}"' not in page.text

    await staged.as_(staged.ratna)
    told = (await get(staged.client, "/counselor/reviews")).text
    assert "Calm and clear." in told
    assert "Not seen here" in told
    async with staged.services.database.sessions() as db:
        kinds = set(await db.scalars(select(NoticeRow.kind).where(NoticeRow.user_id == staged.ratna.id)))
    assert "review_submitted" in kinds


async def test_who_did_not_play_it_cannot_review_it(staged: Reviewed) -> None:
    await opened(staged)
    done = await send(
        staged.client,
        f"{staged.page}/review",
        _page=staged.page,
        submit="1",
        **dict.fromkeys(rubric.QUESTIONS, "3"),
    )
    assert done.status == 403


async def test_the_counselor_releases_and_takes_back_and_reads_who_opened_it(
    staged: Reviewed, clock: FakeClock
) -> None:
    await opened(staged)
    await staged.play(headers={"Range": "bytes=0-9"})
    services = staged.services
    async with staged.client.post(
        f"/api/v1/recordings/{staged.id}/watched", json={"from_ms": 1_000, "to_ms": 9_000}
    ) as answer:
        assert answer.status == 204
    await staged.as_(staged.ratna)
    page = await get(staged.client, staged.own_page)
    assert "sari" in page.text
    assert PURPOSE in page.text
    assert "0:01\N{EN DASH}0:09" in page.text
    assert "data-player" not in page.text, "the counselor reads of it and does not play it"
    back = await post(
        staged.client,
        f"{staged.own_page}/release",
        page.form(f"{staged.own_page}/release"),
    )
    assert back.location.endswith("?done=review_taken_back")
    await staged.as_(staged.sari)
    assert (await get(staged.client, staged.page)).status == 404
    await staged.as_(staged.ratna)
    again = await send(staged.client, f"{staged.own_page}/release", _page=staged.own_page)
    assert again.location.endswith("?done=review_released")
    await staged.as_(staged.sari)
    assert "data-player" not in (await get(staged.client, staged.page)).text, "it is to be opened anew"

    clock.advance(11)
    await write_down_watched(services)
    await staged.as_(staged.embun)
    history = (await get(staged.client, "/me/history?by=others")).text
    assert "Leave to open a recording was given" in history
    assert PURPOSE in history
    assert "Part of a recording was watched" in history


async def test_another_counselor_finds_nothing(staged: Reviewed) -> None:
    await staged.as_(staged.sari)
    assert (await get(staged.client, staged.own_page)).status == 403
    async with staged.services.database.sessions.begin() as db:
        await db.execute(update(RecordingRow).values(counselor_user=None))
    await staged.as_(staged.ratna)
    assert (await get(staged.client, staged.own_page)).status == 404
    assert staged.id not in (await get(staged.client, "/counselor/reviews")).text


@pytest.mark.parametrize("end", [withdraw_consent, take_back], ids=lambda one: one.__name__)
async def test_comments_are_unreadable_at_once_when_a_consent_goes_and_destroyed_after_30_days(
    staged: Reviewed, clock: FakeClock, end: End
) -> None:
    await opened(staged)
    await comment(staged)

    await end(staged)
    await staged.as_(staged.ratna)
    assert "A good silence." not in (await get(staged.client, staged.own_page)).text
    await keep_comments(staged.services)
    await staged.as_(staged.sari)
    shown = (await get(staged.client, "/supervisor/recordings")).text
    assert "A good silence." in shown
    assert "Comments that only you still read" in shown
    await staged.as_(staged.stranger)
    assert "A good silence." not in (await get(staged.client, "/supervisor/recordings")).text
    clock.advance(30 * 86_400)
    await keep_comments(staged.services)
    async with staged.services.database.sessions() as db:
        assert await comments.commented(db) == []


async def test_what_was_said_of_who_asked_to_be_erased_is_for_nobody(staged: Reviewed) -> None:
    await opened(staged)
    await comment(staged)
    async with staged.services.database.sessions.begin() as db:
        await staged.services.erasure.ask(db, person=staged.embun, login=None, now=staged.services.now())
    await keep_comments(staged.services)
    assert "A good silence." not in (await get(staged.client, "/supervisor/recordings")).text


async def test_a_consent_that_is_given_again_shows_them_again(staged: Reviewed, clock: FakeClock) -> None:
    await opened(staged)
    await comment(staged)
    await withdraw_consent(staged)
    await keep_comments(staged.services)
    clock.advance(86_400)
    await consent_to_supervision(staged.client, staged.embun)
    await keep_comments(staged.services)
    clock.advance(40 * 86_400)
    await keep_comments(staged.services)
    async with staged.services.database.sessions() as db:
        assert await comments.commented(db) == [staged.id]


async def test_a_grant_from_before_a_withdrawal_is_over_though_the_consent_was_given_again(
    staged: Reviewed, clock: FakeClock
) -> None:
    await opened(staged)
    clock.advance(1)
    await withdraw_consent(staged)
    clock.advance(1)
    await consent_to_supervision(staged.client, staged.embun)
    page = await get(staged.client, staged.page)
    assert page.status == 200
    assert "data-player" not in page.text
    assert (await staged.play())[0] == 403


async def test_a_recording_that_nothing_is_known_of_has_a_page_without_a_timeline(staged: Reviewed) -> None:
    async with staged.services.database.sessions.begin() as db:
        await db.execute(update(RecordingRow).values(session_id=None))
    await opened(staged)
    page = await get(staged.client, staged.page)
    assert page.status == 200
    assert "data-timeline" not in page.text


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("0:00", 0),
        ("12:05", 725_000),
        (" 12:05 ", 725_000),
        ("12:05.4", 725_400),
        ("1:02:03", 3_723_000),
        ("125:59", 7_559_000),
        ("12", None),
        ("12:60", None),
        ("-1:00", None),
        ("1:1", None),
        ("\u0661:00", None),
        ("", None),
    ],
)
def test_a_moment_is_read_as_people_write_it(text: str, at_ms: int | None) -> None:
    assert read_moment(text) == at_ms


def test_a_moment_is_said_as_it_is_read() -> None:
    for at_ms in (0, 59_999, 60_000, 3_723_000):
        assert read_moment(say_moment(at_ms)) == at_ms // 1000 * 1000
