"""The forms of the register. What does not fit stands at its field, as a key of our catalogues."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final

from wtforms import BooleanField, DateField, Field, HiddenField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length

from counseling.credentials import Credentials, Kind, Verified
from counseling.decisions import MAX_NOTE_CHARS, MIN_NOTE_CHARS
from counseling.entry import (
    MAX_ABOUT_CHARS,
    MAX_CAPACITY,
    MAX_RECUSAL_CHARS,
    MAX_RECUSALS,
    MAX_REPLY_HOURS,
    Licence,
    Practice,
    wrong_in,
)
from counseling.hours import DAYS, Span, Unreadable, Week, read_day, write_day
from counseling.topics import Marks
from web.forms import PageForm
from web.register import MEDIA

_WHOLE: Final = re.compile(r"[0-9]{1,4}")


def tidy(text: str | None) -> str:
    """Take a line as typed: without what no eye sees, and with single blanks."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text or "").split())


class Line(StringField):
    """One line."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        """Read what was sent."""
        self.data = tidy(str(valuelist[0])) if valuelist else ""


class Lines(TextAreaField):
    """Several lines."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        """Read what was sent."""
        lines = str(valuelist[0]).splitlines() if valuelist else []
        self.data = "\n".join(tidy(line) for line in lines).strip()


class Words(Field):
    """Several of a list: what was ticked. Shown by ``register/_fields.html``."""

    data: list[str]

    def process_data(self, value: Any) -> None:  # noqa: ANN401  # as WTForms has it
        """Take what the form begins with."""
        self.data = list(value or [])

    def process_formdata(self, valuelist: list[Any]) -> None:
        """Read what was sent."""
        self.data = [str(one) for one in valuelist]


class Day(DateField):
    """A date, or none."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        """Read what was sent."""
        self.data = None
        if not valuelist or not str(valuelist[0]).strip():
            return
        try:
            self.data = date.fromisoformat(str(valuelist[0]).strip()[:10])
        except ValueError:
            raise ValueError("form.date") from None


class Count(StringField):
    """A whole number of at most four digits; ``number`` is None for anything else."""

    @property
    def number(self) -> int | None:
        """What was typed, as a number."""
        typed = str(self.data or "").strip()
        return int(typed) if _WHOLE.fullmatch(typed) else None


def say(field: Field, key: str) -> None:
    """Put a sentence at a field."""
    field.errors = [*field.errors, key]


class LicenceForm(PageForm):
    """What an admin verifies."""

    kind = HiddenField()
    shown_name = Line("register.shown_name")
    title = Line("register.title_field")
    degree = Line("register.degree")
    licence_number = Line("register.licence_number")
    issuing_body = Line("register.issuing_body")
    licence_region = Line("register.licence_region")
    valid_until = Day("register.valid_until")
    background_checked_on = Day("register.background_checked_on")

    @property
    def licence(self) -> Licence:
        """What was typed."""
        return Licence(**{field.value: self[field.value].data or _NOTHING[field] for field in Verified})

    def fits(self, credentials: Credentials, today: date) -> bool:
        """Whether all of it fits this kind of credential."""
        fine = self.validate()
        for field, word in wrong_in(self.licence, credentials, today=today).items():
            if not self[field.value].errors:
                say(self[field.value], f"register.wrong_{word}")
                fine = False
        return fine


_NOTHING: Final[Mapping[Verified, Any]] = {field: getattr(Licence(), field.value) for field in Verified}


class PracticeForm(PageForm):
    """What the counselor changes at will."""

    about = Lines(
        "register.about", [DataRequired("form.missing"), Length(max=MAX_ABOUT_CHARS, message="form.long")]
    )
    languages = Words("register.languages")
    topics = Words("register.topics")
    media = Words("register.media")
    minors = BooleanField("register.minors")
    capacity = Count("register.capacity")
    reply_hours = Count("register.reply_hours")
    recusals = Lines("register.recusals")

    @property
    def practice(self) -> Practice:
        """What was typed, once it fits."""
        return Practice(
            about=self.about.data or "",
            languages=tuple(self.languages.data),
            topics=tuple(self.topics.data),
            media=tuple(self.media.data),
            minors=bool(self.minors.data),
            capacity=self.capacity.number or 0,
            reply_hours=self.reply_hours.number or 0,
            recusals=tuple(line for line in (self.recusals.data or "").splitlines() if line),
        )

    def fits(self, marks: Marks, kind: Kind | None) -> bool:
        """Whether all of it fits, for a counselor of this kind; None before one was chosen."""
        self.validate()
        for field, known in (
            (self.languages, tuple(marks.languages)),
            (self.topics, tuple(marks.topics)),
            (self.media, MEDIA),
        ):
            if not field.data or not set(field.data) <= set(known) or len(set(field.data)) < len(field.data):
                say(field, "register.wrong_none")
        for count, most in ((self.capacity, MAX_CAPACITY), (self.reply_hours, MAX_REPLY_HOURS)):
            if count.number is None or not 1 <= count.number <= most:
                say(count, f"register.wrong_{count.short_name}")
        recusals = self.practice.recusals
        if len(recusals) > MAX_RECUSALS or any(len(one) > MAX_RECUSAL_CHARS for one in recusals):
            say(self.recusals, "register.wrong_recusals")
        if self.minors.data and (kind is None or not kind.minors):
            say(self.minors, "register.wrong_minors" if kind else "register.minors_no_kind")
        return not self.wrong


class HoursForm(PageForm):
    """Weekly hours, a line for each day, and days away."""

    day_0 = Line("register.day_0")
    day_1 = Line("register.day_1")
    day_2 = Line("register.day_2")
    day_3 = Line("register.day_3")
    day_4 = Line("register.day_4")
    day_5 = Line("register.day_5")
    day_6 = Line("register.day_6")
    away_from = Day("register.away_from")
    away_until = Day("register.away_until")

    @property
    def days(self) -> list[Field]:
        """The fields of the seven days, Monday first."""
        return [self[f"day_{day}"] for day in DAYS]

    @staticmethod
    def start(week: Iterable[Span]) -> dict[str, str]:
        """Write a week into the fields."""
        spans = tuple(week)
        return {f"day_{day}": write_day(spans, day) for day in DAYS}

    def week(self) -> Week | None:
        """Read all; None when something does not fit, which then stands at its field."""
        self.validate()
        found: list[Span] = []
        for day, field in enumerate(self.days):
            try:
                found.extend(read_day(day, field.data or ""))
            except Unreadable as error:
                say(field, f"register.hours_{error.key}")
        if self.away_from.data and self.away_until.data and self.away_until.data < self.away_from.data:
            say(self.away_until, "register.wrong_order")
        return None if self.wrong else tuple(found)


class HandInForm(PageForm):
    """One button."""


class ProofForm(PageForm):
    """A proof to be added; the file itself is read by ``web/uploads.py``."""

    kind = Line("proofs.kind")
    file = Field("proofs.file")


class EthicsForm(PageForm):
    """A signature of exactly the text that was shown."""

    version = HiddenField()
    digest = HiddenField()
    agree = BooleanField("ethics.agree", [DataRequired("ethics.needed")])


class DecisionForm(PageForm):
    """What an admin decides."""

    saw = HiddenField()
    decision = Line("admin_register.decision")
    on = Day("admin_register.on")
    note = Lines(
        "admin_register.note",
        [
            DataRequired("form.missing"),
            Length(MIN_NOTE_CHARS, MAX_NOTE_CHARS, message="admin_register.note_length"),
        ],
    )


class PurposeForm(PageForm):
    """What proofs are opened for."""

    purpose = Line("admin_register.purpose")


class SupervisorForm(PageForm):
    """A supervisor, from a day to a day."""

    supervisor = Line("admin_register.supervisor")
    from_day = Day("admin_register.from_day")
    until_day = Day("admin_register.until_day")
