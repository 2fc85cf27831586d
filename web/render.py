"""Templates and the words in them: Jinja2 with autoescape, gettext catalogues read by Babel.

The catalogues in `web/locales/*/LC_MESSAGES/teduh.po` are read as they stand when the
application is made, so that no compiled file and no build step exists. A message id is a key
(`preview.title`), never a text: both languages are first languages, neither is the source.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError, negotiate_locale
from babel.dates import format_date, format_datetime, get_timezone_name
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

HERE: Final = Path(__file__).parent
LANGUAGES: Final = ("id", "en")
"""Codes of the catalogues there are; the first is used when a reader prefers none of them."""


class MissingText(KeyError):
    """A template asks for a key that a catalogue does not have."""


def read_catalogue(language: str) -> dict[str, str]:
    """Return every text of `language` by its key; fuzzy and empty ones are left out."""
    path = HERE / "locales" / language / "LC_MESSAGES" / "teduh.po"
    with path.open("rb") as file:
        catalogue = read_po(file, locale=language)
    return {
        message.id: message.string
        for message in catalogue
        if isinstance(message.id, str)
        and isinstance(message.string, str)
        and message.id
        and message.string
        and not message.fuzzy
    }


def preferred(accept_language: str, chosen: str | None = None) -> str:
    """Return the language to speak: the reader's own choice, else the `Accept-Language` header's.

    `chosen` is what the language cookie says and is not trusted. Weights follow RFC 9110, 12.5.4.
    """
    if chosen in LANGUAGES:
        return str(chosen)
    weighted: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept_language[:512].split(",")):
        tag, _, parameters = part.strip().partition(";")
        weight = 1.0
        if parameters.strip().startswith("q="):
            try:
                weight = float(parameters.strip()[2:])
            except ValueError:
                continue
        if tag and tag != "*" and weight > 0:
            weighted.append((-weight, place, tag.strip()))
    tags = ["id" if tag.lower() in ("in", "ms") else tag for _, _, tag in sorted(weighted)]
    return negotiate_locale(tags, LANGUAGES, sep="-") or LANGUAGES[0]


def say_time(at: datetime, *, language: str, zone: str) -> str:
    """Write an aware time for people, in the service's time zone: `2 Mar 2026, 16.00 WIB`."""
    there = at.astimezone(ZoneInfo(zone))
    pattern = "d MMM y, HH.mm" if language == "id" else "d MMM y, HH:mm"
    written = format_datetime(there, pattern, tzinfo=there.tzinfo, locale=language)
    return f"{written} {_zone_name(there, language)}"


def _zone_name(there: datetime, language: str) -> str:
    """Name the zone as people there do, such as WIB; as a distance where no language of ours has a name."""
    names = [get_timezone_name(there, width="short", locale=locale) for locale in (language, *LANGUAGES)]
    return next((name for name in names if name.isalpha()), names[0])


def say_day(day: date | datetime, *, language: str, zone: str) -> str:
    """Write a date for people; an aware time's date is the one of the service's time zone."""
    if isinstance(day, datetime):
        day = day.astimezone(ZoneInfo(zone)).date()
    return format_date(day, "d MMMM y", locale=language)


def say_weekday(day: date, *, language: str) -> str:
    """Write a date with its day of the week: `Senin, 2 Maret`."""
    return format_date(day, "EEEE, d MMMM", locale=language)


def say_clock(at: datetime, *, language: str, zone: ZoneInfo) -> str:
    """Write an aware time as a clock in a zone shows it: `09.00`."""
    pattern = "HH.mm" if language == "id" else "HH:mm"
    return format_datetime(at, pattern, tzinfo=zone, locale=language)


def say_seconds(at: datetime, *, language: str, zone: ZoneInfo) -> str:
    """Write an aware time to the second as a clock in a zone shows it: `09.00.30`."""
    pattern = "HH.mm.ss" if language == "id" else "HH:mm:ss"
    return format_datetime(at, pattern, tzinfo=zone, locale=language)


def say_number(value: float, *, language: str, digits: int = 0) -> str:
    """Write a number with so many digits behind the comma: `1.234,5`."""
    return format_decimal(
        round(value, digits), format="#,##0" + ("." + "0" * digits if digits else ""), locale=language
    )


def say_language(code: str, *, language: str) -> str:
    """Name a language in another: `id` is `Indonesia` in Indonesian. One that nobody knows stays as it is."""
    try:
        return Locale.parse(code).get_language_name(language) or code
    except (UnknownLocaleError, ValueError):
        return code


def data_json(value: object) -> Markup:
    """Return JSON that may stand inside a `<script type="application/json">` element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - every character that could end the element is escaped above.


@dataclass(frozen=True, slots=True)
class Renderer:
    """Renders one template in one language."""

    environment: Environment
    texts: Mapping[str, Mapping[str, str]]

    def text(self, language: str, key: str, /, **values: object) -> str:
        """Return the text of `key` with `{name}` places filled in; raises MissingText."""
        try:
            text = self.texts[language][key]
        except KeyError as error:
            raise MissingText(f"{language}: {key}") from error
        return text.format(**values) if values else text

    def script_texts(self, language: str, prefixes: Iterable[str]) -> dict[str, str]:
        """Return what the page's modules may say: every text under one of `prefixes`."""
        starts = tuple(f"{prefix}." for prefix in prefixes)
        return {key: text for key, text in self.texts[language].items() if key.startswith(starts)}

    def page(self, template: str, *, language: str, **values: object) -> str:
        """Return the HTML of `template`; `_(key)` inside it speaks `language`."""

        def speak(key: str, /, **places: object) -> str:
            return self.text(language, key, **places)

        return self.environment.get_template(template).render(
            _=speak,
            language=language,
            tongue=lambda code: say_language(code, language=language),
            languages=[(code, Locale.parse(code).get_display_name(code)) for code in LANGUAGES],
            **values,
        )


@functools.cache
def make_renderer() -> Renderer:
    """Read templates and catalogues, once: nothing of them changes while the program runs.

    Raises when a catalogue does not parse.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_json"] = data_json
    return Renderer(environment, {language: read_catalogue(language) for language in LANGUAGES})
