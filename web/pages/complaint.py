"""`/complaint`: report something, to an officer outside the counseling line; and read the answer.

Anybody may: logged in, with a recovery code, or as nobody known. The receipt code stands in the answer to
the form alone, made from the form's one-time number: sent twice, it files one complaint and shows one code.
"""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web as http
from multidict import MultiDictProxy
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import BooleanField, FileField, RadioField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length

from accounts import people
from accounts.codes import MOST_TYPED_CHARS, shown
from accounts.roles import Permission, Role
from core.errors import InvalidState
from core.ids import UserId
from counseling.complaints import (
    MAX_FILES,
    MAX_TEXT_CHARS,
    Complaint,
    Inside,
    NewFile,
    Topic,
    outside_the_line,
)
from counseling.uploads import Refused
from web.client import client_network
from web.duties import DUTIES
from web.fields import pick
from web.forms import PageForm, Wrong, blank, do_once, filled, sent
from web.gate import add, visitor_of
from web.pages.enter import whose
from web.pages.site import SITE, language_of
from web.services import SERVICES
from web.uploads import UPLOADS, Sent, upload

TOPICS: Final = [(topic.value, f"complaint.topic_{topic.value}") for topic in Topic]


class ComplaintForm(PageForm):
    """What happened, and who says so if they want to."""

    topic = RadioField("complaint.topic", [DataRequired("form.choice")], choices=pick(*TOPICS))
    text = TextAreaField(
        "complaint.text", [DataRequired("form.missing"), Length(max=MAX_TEXT_CHARS, message="form.long")]
    )
    apart = BooleanField("complaint.apart")
    code = StringField("complaint.code", [Length(max=MOST_TYPED_CHARS, message="form.long")])


class ReceiptForm(PageForm):
    """The code that was shown once."""

    receipt = StringField(
        "complaint.receipt",
        [DataRequired("form.missing"), Length(max=MOST_TYPED_CHARS, message="form.long")],
    )


class EvidenceForm(ReceiptForm):
    """A file for a complaint that was filed."""

    file = FileField("complaint.file")


async def ask(request: http.Request) -> http.Response:
    """Answer `GET /complaint`."""
    return await _ask(request, blank(request, ComplaintForm))


async def _ask(request: http.Request, form: ComplaintForm, *, status: int = 200) -> http.Response:
    services, person = request.app[SERVICES], visitor_of(request).person
    async with services.database.sessions() as db:
        officers = [one for one in await people.with_role(db, role=Role.OFFICER) if outside_the_line(one)]
        own = [] if person is None else await request.app[DUTIES].complaints.own(db, user=person.id)
    return request.app[SITE].show(
        request,
        "complaint/form.html",
        status=status,
        form=form,
        officers=[one.name for one in officers],
        days=services.config.complaint_days,
        own=own,
    )


async def file(request: http.Request) -> http.Response:
    """Answer `POST /complaint`: file it, and show the receipt code this once."""
    await _slow(request)  # before the form is read: who waits takes no memory for it
    form = await sent(request, ComplaintForm)
    if not form.validate():
        return await _ask(request, form, status=422)
    try:
        user = await _who(request, form)
    except Wrong as error:
        form.say_wrong(error)
        return await _ask(request, form, status=422)
    services, ours = request.app[SERVICES], request.app[DUTIES].complaints
    receipt = ours.receipt_for(str(form.once.data))

    async def act(db: AsyncSession) -> str:
        await ours.file(
            db,
            receipt=receipt,
            user=user,
            language=language_of(request),
            topic=Topic(form.topic.data),
            text=str(form.text.data),
            days=services.config.complaint_days,
            now=services.now(),
        )
        return "/complaint/answer"

    await do_once(request, form, act)
    return await _show(request, receipt, fresh=True)


async def _slow(request: http.Request) -> None:
    """Slow filing down, by account or by address; an address of IPv6 is its network."""
    services, person = request.app[SERVICES], visitor_of(request).person
    subject = client_network(request, services.config) if person is None else person.id
    await request.app[DUTIES].slow(subject, services.clock.monotonic())


async def _who(request: http.Request, form: ComplaintForm) -> UserId | None:
    """Say who complains, as far as they want it known. Raises ``Wrong`` for a code that does not hold."""
    person = visitor_of(request).person
    if form.apart.data:
        return None
    if person is not None:
        return person.id
    typed = str(form.code.data or "").strip()
    return (await whose(request, typed)).id if typed else None


async def ask_receipt(request: http.Request) -> http.Response:
    """Answer `GET /complaint/answer`."""
    return request.app[SITE].show(request, "complaint/receipt.html", form=blank(request, ReceiptForm))


async def answer(request: http.Request) -> http.Response:
    """Answer `POST /complaint/answer`: show how far it is, and the answer."""
    form = await sent(request, ReceiptForm)
    if form.validate():
        found = await _find(request, str(form.receipt.data))
        if found is not None:
            return await _show(request, str(form.receipt.data))
        form.say_wrong(Wrong("receipt", "complaint.no_receipt"))
    return request.app[SITE].show(request, "complaint/receipt.html", status=422, form=form)


class _NoRoom(Exception):
    """The receipt is none of ours (``key`` is empty), or its complaint takes no more files."""

    def __init__(self, key: str = "") -> None:
        super().__init__(key)
        self.key = key


async def add_file(request: http.Request) -> http.Response:
    """Answer `POST /complaint/evidence`: clean a file, and add it sealed.

    Whose form it is and for which complaint is settled before anything of the file is read.
    """
    receipt = ""

    async def check(fields: MultiDictProxy[Any]) -> None:
        nonlocal receipt
        receipt = str(filled(request, EvidenceForm, fields).receipt.data or "")
        found = await _find(request, receipt)
        if found is None:
            raise _NoRoom
        if not _takes_more(*found):
            raise _NoRoom("complaint.refused_many")

    try:
        async with upload(request, name="file", check=check) as given:
            return await _add_file(request, given)
    except _NoRoom as error:
        if error.key:
            return await _show(request, receipt, refused=error.key)
        back = blank(request, ReceiptForm, receipt=receipt)
        back.say_wrong(Wrong("receipt", "complaint.no_receipt"))
        return request.app[SITE].show(request, "complaint/receipt.html", status=422, form=back)


async def _add_file(request: http.Request, given: Sent) -> http.Response:
    form = filled(request, EvidenceForm, given.fields)
    services, duties = request.app[SERVICES], request.app[DUTIES]
    receipt = str(form.receipt.data or "")
    found = await _find(request, receipt)
    if found is None:
        raise _NoRoom
    if given.file is None:
        return await _show(request, receipt, refused="complaint.refused_size")
    try:
        clean = await request.app[UPLOADS].cleaner.clean(given.file)
    except Refused as error:
        return await _show(request, receipt, refused=f"complaint.refused_{error.key}")

    async def act(db: AsyncSession) -> str:
        new = NewFile(clean.content_type, clean.data)
        await duties.complaints.add_file(db, complaint=found[0].id, file=new, now=services.now())
        return "/complaint/answer"

    try:
        await do_once(request, form, act)
    except InvalidState:
        return await _show(request, receipt, refused="complaint.refused_many")
    return await _show(request, receipt, added=True)


def _takes_more(complaint: Complaint, inside: Inside) -> bool:
    return not complaint.closed_at and not complaint.erased and len(inside.evidence) < MAX_FILES


async def _find(request: http.Request, typed: str) -> tuple[Complaint, Inside] | None:
    async with request.app[SERVICES].database.sessions() as db:
        return await request.app[DUTIES].complaints.by_receipt(db, typed=typed)


async def _show(
    request: http.Request, receipt: str, *, fresh: bool = False, added: bool = False, refused: str = ""
) -> http.Response:
    """Show one complaint to whoever holds its code; the code itself only when it is new."""
    found = await _find(request, receipt)
    if found is None:
        raise http.HTTPSeeOther("/complaint/answer")
    complaint, inside = found
    form = blank(request, EvidenceForm, receipt=receipt)
    return request.app[SITE].show(
        request,
        "complaint/one.html",
        status=422 if refused else 200,
        one=complaint,
        inside=inside,
        receipt=shown(receipt) if fresh else "",
        form=form,
        added=added,
        refused=refused,
        more=_takes_more(complaint, inside),
        most=MAX_FILES,
    )


def setup(app: http.Application) -> None:
    """Add the way to complain, and to the answer."""
    add(app, "GET", "/complaint", ask, Permission.OPEN)
    add(app, "POST", "/complaint", file, Permission.OPEN)
    add(app, "GET", "/complaint/answer", ask_receipt, Permission.OPEN)
    add(app, "POST", "/complaint/answer", answer, Permission.OPEN)
    add(app, "POST", "/complaint/evidence", add_file, Permission.OPEN)
