"""Forms: what was typed is kept, what is wrong is said at its field, and sending twice does it once.

WTForms reads and checks the fields; a validator's message is a key of our catalogues, and so is a
label. Two hidden fields stand in every form: ``csrf`` proves that our page made it for this login, and
``once`` is its one-time number (``accounts/submissions.py``). This file owns WTForms' form class.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from aiohttp import web as http
from multidict import MultiDictProxy
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import Field, Form, HiddenField

from accounts import submissions
from core.errors import Forbidden, Malformed, TeduhError
from web.gate import visitor_of
from web.plain import is_plain
from web.services import SERVICES, Services

SALT_CHARS: Final = 16
ONCE_CHARS: Final = 22

F = TypeVar("F", bound="PageForm")
Act = Callable[[AsyncSession], Awaitable[str]]


class Wrong(TeduhError):
    """A field holds something that does not fit, found while the form was being done.

    ``field`` is its name, ``text`` the key of a sentence. Nothing was changed.
    """

    code = "wrong"

    def __init__(self, field: str, text: str, **places: object) -> None:
        super().__init__(text)
        self.field = field
        self.text = text
        self.places = places


class OldForm(Forbidden):
    """The form was made for another login, or not by us: the page has to be opened again."""

    code = "old_form"


class _Typed:
    """The fields of a POST in the shape that WTForms reads."""

    def __init__(self, data: MultiDictProxy[Any]) -> None:
        self._data = data

    def __contains__(self, name: object) -> bool:
        return name in self._data

    def getlist(self, name: str) -> list[Any]:
        return self._data.getall(name, [])

    def __iter__(self) -> Any:  # noqa: ANN401  # as the protocol of WTForms has it
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)


class _Keys:
    """What WTForms itself says about a value, as keys of the catalogues."""

    KEYS: Final = {"Not a valid date value.": "form.date", "Not a valid integer value.": "form.number"}

    def gettext(self, text: str) -> str:
        return self.KEYS.get(text, "form.choice")

    def ngettext(self, one: str, _many: str, _count: int) -> str:
        return self.gettext(one)


class PageForm(Form):
    """A form of a page. Labels and messages are keys of the catalogues."""

    class Meta:
        """How WTForms speaks."""

        def get_translations(self, _form: Form) -> _Keys:
            """Give its messages as keys: a browser never sends what they are about, a program may."""
            return _Keys()

    csrf = HiddenField()
    once = HiddenField()

    @property
    def wrong(self) -> list[Field]:
        """The fields that hold something wrong, in their order."""
        return [field for field in self if field.errors]

    def say_wrong(self, error: Wrong) -> None:
        """Put what was found while doing it at its field."""
        field = self[error.field]
        field.errors = [*field.errors, error.text]

    def forget_secrets(self, *names: str) -> None:
        """Empty fields that are not to be sent back, such as passwords."""
        for name in names:
            self[name].data = ""


def blank(request: http.Request, kind: type[F], /, **start: object) -> F:
    """Make a form to be shown for the first time, with these values in it."""
    return kind(data={**start, "csrf": token_for(request), "once": new_once()})


async def sent(request: http.Request, kind: type[F]) -> F:
    """Read a form that was sent; ``form.validate()`` says whether it fits.

    Raises ``OldForm`` when it is none of ours: made for another login, or by another site; ``Malformed``
    when it holds anything but text.
    """
    try:
        data = await request.post()
    except (ValueError, LookupError, AssertionError):
        # What aiohttp says of a body that is not what its header says.
        raise Malformed("The form cannot be read.") from None
    return filled(request, kind, data)


def filled(request: http.Request, kind: type[F], data: MultiDictProxy[Any]) -> F:
    """Make a form of what was sent and read already. Raises as ``sent`` does."""
    if not all(isinstance(value, str) and is_plain(name) and is_plain(value) for name, value in data.items()):
        raise Malformed("The form holds something that is no text.")
    form = kind(formdata=_Typed(data))
    if not fits(request, str(form.csrf.data or "")) or len(str(form.once.data or "")) != ONCE_CHARS:
        raise OldForm("This form has grown old: open the page again.")
    form.csrf.data = token_for(request)
    return form


async def do_once(request: http.Request, form: PageForm, act: Act) -> http.Response:
    """Do what a form asks, in one transaction, and lead on to where ``act`` says (303).

    Sent again, it is not done again and leads to the same place. Raises what ``act`` raises; then nothing
    was done and the form may be sent again.
    """
    services = request.app[SERVICES]
    number = _number(services, str(form.once.data))
    try:
        async with services.database.sessions.begin() as db:
            await services.audit.hold(db)  # what a form does is written down: before any row is taken
            await submissions.begin(db, number=number, now=services.now())
            location = await act(db)
            await submissions.finish(db, number=number, location=location)
    except IntegrityError:
        async with services.database.sessions() as db:
            before = await submissions.led_to(db, number=number)
        if before is None:
            raise
        location = before
    return http.Response(status=303, headers={"Location": location})


def new_once() -> str:
    """Make the one-time number of a form."""
    return secrets.token_urlsafe(16)


def token_for(request: http.Request) -> str:
    """Make the proof that a form was made here for this login; another one each time.

    That the bytes differ keeps a compressed page from telling them (BREACH).
    """
    salt = secrets.token_urlsafe(12)
    return salt + _mac(request, salt)


def fits(request: http.Request, token: str) -> bool:
    """Whether a token was made by ``token_for`` for this login."""
    salt, mac = token[:SALT_CHARS], token[SALT_CHARS:]
    return hmac.compare_digest(mac.encode("utf-8", "replace"), _mac(request, salt).encode())


def _mac(request: http.Request, salt: str) -> str:
    login = visitor_of(request).login
    key = request.app[SERVICES].csrf_key
    text = f"{salt}|{'nobody' if login is None else login.id}".encode("utf-8", "replace")
    return hmac.new(key, text, hashlib.sha256).hexdigest()[:32]


def _number(services: Services, once: str) -> str:
    """Keep no number that somebody could send."""
    return hmac.new(services.csrf_key, b"once|" + once.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
