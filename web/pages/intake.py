"""`/talk/intake`: what a client may tell while waiting. Every step and question can be left out.

One question is one page with its answers as buttons: a tap keeps it and leads on, with script and without.
No score is shown. Each page is a sign of life in the line, and says when a counselor is there.
"""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import HiddenField, RadioField, TextAreaField
from wtforms.validators import Length
from wtforms.validators import Optional as MayBeEmpty

from accounts.roles import Permission
from core.errors import NotFound
from counseling import intake, walkins
from counseling.instruments import Instrument
from counseling.intake import (
    CONCERNS,
    HISTORY,
    MAX_WORDS_CHARS,
    SAFETY,
    Before,
    Concerns,
    Content,
    History,
    Items,
    Progress,
    Skipped,
    with_item,
)
from counseling.triage import Safe
from counseling.walkin_states import Alone
from web.fields import Checks, pick
from web.forms import Act, OldForm, PageForm, blank, do_once, sent
from web.gate import add, person_of
from web.intake import SCREENING, Standing, keep, keep_safety, standing
from web.intake import setup as read_data
from web.line import BELL
from web.pages.site import SITE, language_of
from web.pages.urgent import helping
from web.services import SERVICES

PAGE: Final = "/talk/intake"
URGENT: Final = "/talk/urgent"
ITEMS: Final = "/talk/intake/q"
MAX_DIGITS: Final = 2


class StepForm(PageForm):
    """A step that can be left out as a whole: by a button of its own."""

    skip = HiddenField()

    @property
    def is_skipped(self) -> bool:
        """Whether the client leaves this step out."""
        return bool(self.skip.data)


class ConcernsForm(StepForm):
    """What is on the client's mind. The choices are those of the data."""

    marked = Checks("intake.concerns")


class HistoryForm(StepForm):
    """What was before."""

    talked = RadioField(
        "intake.talked",
        [MayBeEmpty()],
        choices=pick(*((one.value, f"intake.talked_{one.value}") for one in Before)),
    )
    treated = RadioField(
        "intake.treated",
        [MayBeEmpty()],
        choices=pick(*((one.value, f"intake.treated_{one.value}") for one in Before)),
    )
    words = TextAreaField("intake.words", [Length(max=MAX_WORDS_CHARS, message="form.long")])


class AnswerForm(StepForm):
    """One tap: the number of the choice; empty leaves the question out."""

    choice = HiddenField()


async def overview(request: http.Request) -> http.Response:
    """Answer `GET /talk/intake`."""
    stands = await _standing(request)
    return _show(request, "intake/overview.html", stands, days=intake.RETENTION.days)


async def ask_concerns(request: http.Request) -> http.Response:
    """Answer `GET /talk/intake/concerns`."""
    stands = await _standing(request)
    saved = stands.saved.get(CONCERNS)
    marked = saved.content.marked if saved and isinstance(saved.content, Concerns) else ()
    form = _choose(request, blank(request, ConcernsForm, marked=list(marked)))
    return _show(request, "intake/concerns.html", stands, form=form)


async def tell_concerns(request: http.Request) -> http.Response:
    """Answer `POST /talk/intake/concerns`."""
    form = _choose(request, await sent(request, ConcernsForm))
    if not form.is_skipped and not form.validate():
        return _show(request, "intake/concerns.html", await _standing(request), form=form, status=422)
    told = Skipped() if form.is_skipped else Concerns(tuple(dict.fromkeys(form.marked.data or ())))
    return await _keep(request, form, CONCERNS, told)


async def ask_history(request: http.Request) -> http.Response:
    """Answer `GET /talk/intake/history`."""
    stands = await _standing(request)
    saved = stands.saved.get(HISTORY)
    known = saved.content if saved and isinstance(saved.content, History) else History()
    form = blank(request, HistoryForm, talked=known.talked, treated=known.treated, words=known.words)
    return _show(request, "intake/history.html", stands, form=form)


async def tell_history(request: http.Request) -> http.Response:
    """Answer `POST /talk/intake/history`."""
    form = await sent(request, HistoryForm)
    if not form.is_skipped and not form.validate():
        return _show(request, "intake/history.html", await _standing(request), form=form, status=422)
    talked, treated = (
        Before(one) if one in list(Before) else None for one in (form.talked.data, form.treated.data)
    )
    told = History(talked, treated, str(form.words.data or "").strip())
    return await _keep(request, form, HISTORY, Skipped() if form.is_skipped else told)


async def ask_item(request: http.Request) -> http.Response:
    """Answer `GET /talk/intake/q/{instrument}/{number}`."""
    stands = await _standing(request)
    instrument, number = _item(request, stands)
    words = instrument.translations[language_of(request)]
    items = _items(request, stands, instrument)
    before = items.answers[number - 1] if number <= len(items.answers) else None
    return _show(
        request,
        "intake/item.html",
        stands,
        form=blank(request, AnswerForm),
        instrument=instrument,
        words=words,
        number=number,
        begun=any(one is not None for one in items.answers),
        answered=None if before is None else instrument.points.index(before),
    )


async def tell_item(request: http.Request) -> http.Response:
    """Answer `POST /talk/intake/q/{instrument}/{number}`."""
    form = await sent(request, AnswerForm)
    stands = await _standing(request)
    instrument, number = _item(request, stands)
    if form.is_skipped:
        return await _keep(request, form, instrument.id, _without_rest(request, stands, instrument))
    choice = str(form.choice.data or "")
    if choice and choice not in map(str, range(len(instrument.points))):
        raise NotFound("There is no such answer.")
    given = instrument.points[int(choice)] if choice else None
    services, ours, person = request.app[SERVICES], request.app[SCREENING], person_of(request)

    async def act(db: AsyncSession) -> str:
        now = await standing(services, ours, db, client=person, language=language_of(request))
        items = with_item(_items(request, now, instrument), number, given)
        is_last = number == instrument.length
        if await keep(
            services, ours, db, client=person.id, step=instrument.id, content=items, item=number, done=is_last
        ):
            return f"{PAGE}/{SAFETY}"
        if not is_last:
            return f"{ITEMS}/{instrument.id}/{number + 1}"
        after = await standing(services, ours, db, client=person, language=language_of(request))
        return _following(after)

    return await _answer(request, form, act)


async def ask_safety(request: http.Request) -> http.Response:
    """Answer `GET /talk/intake/safety`: whether the client is safe now."""
    stands, (_, signed) = await _standing(request), await helping(request)
    return _show(request, "intake/safety.html", stands, form=blank(request, AnswerForm), signed=signed)


async def tell_safety(request: http.Request) -> http.Response:
    """Answer `POST /talk/intake/safety`. Not sure, or not safe, calls for help at once."""
    try:
        form = await sent(request, AnswerForm)
    except OldForm:
        # Whoever may be in danger does not lose a minute over a page that grew old.
        said = (await request.post()).get("choice")
        if said not in {Safe.NOT_SURE, Safe.NOT_SAFE}:
            raise
        form = blank(request, AnswerForm, choice=said)
    if form.is_skipped:
        return await _keep(request, form, SAFETY, Skipped())
    if form.choice.data not in list(Safe):
        raise NotFound("There is no such answer.")
    services, ours, person = request.app[SERVICES], request.app[SCREENING], person_of(request)
    language, answer = language_of(request), Safe(form.choice.data)

    async def act(db: AsyncSession) -> str:
        if await keep_safety(services, ours, db, client=person, answer=answer, language=language):
            return URGENT
        if answer is not Safe.SAFE:
            return f"{PAGE}?done=intake_tell"
        after = await standing(services, ours, db, client=person, language=language)
        return _following(after)

    return await _answer(request, form, act)


async def remove(request: http.Request) -> http.Response:
    """Answer `POST /talk/intake/remove`: delete all that was answered."""
    services, person = request.app[SERVICES], person_of(request)
    form = await sent(request, PageForm)

    async def act(db: AsyncSession) -> str:
        await intake.remove(db, services.audit, client=person.id, now=services.now())
        return f"{PAGE}?done=intake_removed"

    return await do_once(request, form, act)


async def _keep(request: http.Request, form: PageForm, step: str, content: Content) -> http.Response:
    """Keep a step as a whole, and lead to the next."""
    services, ours, person = request.app[SERVICES], request.app[SCREENING], person_of(request)

    async def act(db: AsyncSession) -> str:
        await keep(services, ours, db, client=person.id, step=step, content=content)
        after = await standing(services, ours, db, client=person, language=language_of(request))
        return _following(after)

    return await _answer(request, form, act)


async def _answer(request: http.Request, form: PageForm, act: Act) -> http.Response:
    response = await do_once(request, form, act)
    request.app[BELL].ring()
    # Nobody is recorded in whom a danger was found.
    await request.app[SERVICES].calls.recheck_recordings_of(person_of(request).id)
    return response


async def _standing(request: http.Request) -> Standing:
    """Read how far the client is; a sign of life in the line."""
    services, person = request.app[SERVICES], person_of(request)
    async with services.database.sessions.begin() as db:
        found = await standing(
            services, request.app[SCREENING], db, client=person, language=language_of(request)
        )
        if found.walkin is not None:
            await walkins.seen(db, walkin=found.walkin.id, now=services.now())
    return found


def _show(
    request: http.Request,
    template: str,
    stands: Standing,
    *,
    status: int = 200,
    **values: Any,
) -> http.Response:
    ours, language = request.app[SCREENING], language_of(request)
    say = request.app[SITE].renderer.text
    walkin = stands.walkin
    return request.app[SITE].show(
        request,
        template,
        status=status,
        stands=stands,
        discreet=walkin is not None and walkin.alone is not Alone.YES,
        names={
            step: ours.instruments[step].title[language]
            if step in stands.offered
            else say(language, f"intake.{step}")
            for step in stands.steps
        },
        ways={step: _way(step, stands) for step in stands.steps},
        **values,
    )


def _way(step: str, stands: Standing) -> str:
    """Say where a step is done: for an instrument, at the first item that was not passed."""
    if step not in stands.offered:
        return f"{PAGE}/{step}"
    saved = stands.saved.get(step)
    begun = saved is not None and stands.steps[step] is Progress.BEGUN
    passed = len(saved.content.answers) if saved and begun and isinstance(saved.content, Items) else 0
    return f"{ITEMS}/{step}/{passed + 1}"


def _following(stands: Standing) -> str:
    """Lead to the next step, or to the list when all is done."""
    if stands.following is None:
        return f"{PAGE}?done=intake_done"
    return _way(stands.following, stands)


def _item(request: http.Request, stands: Standing) -> tuple[Instrument, int]:
    """Find the item of this page. Raises ``NotFound``."""
    instrument = stands.offered.get(request.match_info["instrument"])
    text = request.match_info["number"]
    if instrument is None or not text.isascii() or not text.isdigit() or len(text) > MAX_DIGITS:
        raise NotFound("There is no such question.")
    number = int(text)
    if not 1 <= number <= instrument.length:
        raise NotFound("There is no such question.")
    return instrument, number


def _items(request: http.Request, stands: Standing, instrument: Instrument) -> Items:
    """Give what was answered so far; answers from long ago or in other words begin anew."""
    saved = stands.saved.get(instrument.id)
    words = instrument.translations[language_of(request)]
    if (
        saved is not None
        and isinstance(saved.content, Items)
        and stands.steps[instrument.id] in {Progress.BEGUN, Progress.DONE}
        and saved.content.digest == words.digest
    ):
        return saved.content
    return Items(words.digest)


def _without_rest(request: http.Request, stands: Standing, instrument: Instrument) -> Content:
    """Leave out what is still to come; what was answered stays."""
    items = _items(request, stands, instrument)
    if all(one is None for one in items.answers):
        return Skipped()
    last = items.answers[-1] if len(items.answers) == instrument.length else None
    return with_item(items, instrument.length, last)


def _choose(request: http.Request, form: ConcernsForm) -> ConcernsForm:
    language = language_of(request)
    form.marked.choices = pick(
        *((word, names[language]) for word, names in request.app[SCREENING].in_force.concerns.items())
    )
    return form


def setup(app: http.Application) -> None:
    """Read the data, and add the pages."""
    read_data(app)
    own = Permission.OWN_WAY
    add(app, "GET", PAGE, overview, own)
    add(app, "GET", f"{PAGE}/{CONCERNS}", ask_concerns, own)
    add(app, "POST", f"{PAGE}/{CONCERNS}", tell_concerns, own)
    add(app, "GET", f"{PAGE}/{HISTORY}", ask_history, own)
    add(app, "POST", f"{PAGE}/{HISTORY}", tell_history, own)
    add(app, "GET", f"{PAGE}/{SAFETY}", ask_safety, own)
    add(app, "POST", f"{PAGE}/{SAFETY}", tell_safety, own)
    add(app, "POST", f"{PAGE}/remove", remove, own)
    add(app, "GET", ITEMS + "/{instrument}/{number}", ask_item, own)
    add(app, "POST", ITEMS + "/{instrument}/{number}", tell_item, own)
