"""The forms of `/admin/people`. Each asks for the admin's own password: what they do is grave."""

from __future__ import annotations

from typing import Any, Final

from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired, Length

from accounts.passwords import MOST_CHARS
from accounts.roles import STAFF, Role
from web.fields import Checks, pick
from web.forms import PageForm

ROLES: Final = [(role.value, f"role.{role.value}") for role in Role if role in STAFF]


def own_password(element: str) -> Any:  # noqa: ANN401  # WTForms binds it to its form later
    """Ask for the admin's own password; ``element`` sets it apart from those of other forms of the page."""
    return PasswordField(
        "people.password",
        [InputRequired("form.missing"), Length(max=MOST_CHARS, message="form.long")],
        id=element,
    )


class InviteForm(PageForm):
    """Whom to invite."""

    roles = Checks("people.roles", [InputRequired("people.one_role")], choices=pick(*ROLES))
    note = StringField("people.note", [InputRequired("form.missing"), Length(max=60, message="form.long")])
    password = own_password("password")


class RolesForm(PageForm):
    """Which roles somebody has."""

    roles = Checks("people.roles", [InputRequired("people.one_role")], choices=pick(*ROLES))
    password = own_password("password")


class FactorsForm(PageForm):
    """That somebody's second step is reset."""

    password = own_password("factors_password")


class CloseForm(PageForm):
    """Why an account is closed."""

    reason = StringField(
        "people.reason", [InputRequired("form.missing"), Length(max=200, message="form.long")]
    )
    password = own_password("close_password")


class OpenForm(PageForm):
    """That a closed account is opened again."""

    password = own_password("open_password")
