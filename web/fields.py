"""Fields of forms that WTForms does not have as we need them. Labels are keys of the catalogues."""

from __future__ import annotations

from typing import Any

from wtforms import SelectMultipleField
from wtforms.fields import choices as wtforms_choices
from wtforms.widgets import CheckboxInput, ListWidget


def pick(*pairs: tuple[str, str]) -> list[Any]:
    """Make the choices of a field from (value, key of its words)."""
    make: Any = wtforms_choices.SelectChoice  # type: ignore[attr-defined]  # newer than its stubs
    return [make(value, label) for value, label in pairs]


class Checks(SelectMultipleField):
    """Any number of choices, each with a box of its own."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()
