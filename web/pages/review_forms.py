"""The forms of reviews, and how moments of a recording are written and read in them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Final, TypeVar

from aiohttp import web as http
from wtforms import RadioField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length

from accounts.grants import MAX_PURPOSE_CHARS, MIN_PURPOSE_CHARS
from recordings.comments import MAX_CHARS
from recordings.reviews import HOURS
from recordings.rubric import MAX_WORDS_CHARS, QUESTIONS, SCORES
from web.fields import pick
from web.forms import PageForm, blank

_MOMENT: Final = re.compile(r"(?:(\d{1,2}):)?(\d{1,3}):([0-5]\d)(?:[.,](\d))?", re.ASCII)

F = TypeVar("F", bound=PageForm)


class OpenForm(PageForm):
    """What it is opened for, and how long."""

    purpose = StringField(
        "review.purpose",
        [
            DataRequired("form.missing"),
            Length(MIN_PURPOSE_CHARS, MAX_PURPOSE_CHARS, "admin_audit.purpose_length"),
        ],
    )
    hours = RadioField(
        "review.hours",
        [DataRequired("form.choice")],
        choices=pick(*[(str(hours), f"review.hours_{hours}") for hours in HOURS]),
        default=str(HOURS[0]),
    )


class CommentForm(PageForm):
    """A comment at a moment, as minutes and seconds."""

    at = StringField("review.at", [DataRequired("form.missing")], default="0:00")
    text = TextAreaField(
        "review.comment", [DataRequired("form.missing"), Length(max=MAX_CHARS, message="form.long")]
    )


class EditForm(PageForm):
    """Other words for a comment."""

    text = TextAreaField(
        "review.comment", [DataRequired("form.missing"), Length(max=MAX_CHARS, message="form.long")]
    )


class AnswerForm(PageForm):
    """An answer to a comment."""

    text = TextAreaField(
        "review.answer", [DataRequired("form.missing"), Length(max=MAX_CHARS, message="form.long")]
    )


class ReviewForm(PageForm):
    """The rubric. What is missing is looked at when it is submitted."""

    words = TextAreaField("review.words", [Length(max=MAX_WORDS_CHARS, message="form.long")])


for _question in QUESTIONS:
    setattr(
        ReviewForm,
        _question,
        RadioField(
            f"rubric.{_question}",
            choices=pick(*[(score, f"rubric.score_{score}") for score in SCORES]),
            validate_choice=False,
        ),
    )


def below_comments(
    request: http.Request, kind: type[F], sent: tuple[str, F] | None
) -> Callable[[str, str | None], F]:
    """Give what makes the form below a comment: of one ``sent`` what was typed, and what is wrong with it."""

    def make(comment: str, text: str | None) -> F:
        form = sent[1] if sent is not None and sent[0] == comment else blank(request, kind, text=text or "")
        form["text"].id = f"words-{comment}"
        return form

    return make


def say_moment(at_ms: int) -> str:
    """Write a moment as minutes and seconds: `12:05`."""
    return f"{at_ms // 60_000}:{at_ms // 1000 % 60:02}"


def read_moment(text: str) -> int | None:
    """Read `12:05`, `1:02:03` or `12:05.4` as milliseconds; None for what is none."""
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        return None
    hours, minutes, seconds, tenths = (int(one or 0) for one in found.groups())
    return round(
        timedelta(hours=hours, minutes=minutes, seconds=seconds, milliseconds=100 * tenths)
        / timedelta(milliseconds=1)
    )
