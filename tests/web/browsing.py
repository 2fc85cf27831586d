"""What a browser without script does with our pages: read a form's fields, send them, follow on."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

from tests.web.conftest import Client

AS_BROWSER = {
    "Accept": "text/html",
    "Accept-Language": "en",
    "User-Agent": "Mozilla/5.0 (Linux; Android 14) Chrome/140.0 Mobile",
}


class _Reader(HTMLParser):
    """Reads all forms of a page: their action, and the value of each field that would be sent."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        words = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = True
            self.forms.append((words.get("action", ""), {}))
        elif self._inside and tag == "input" and "name" in words:
            kind = words.get("type", "text")
            if kind not in {"radio", "checkbox", "submit"} or "checked" in words:
                self.forms[-1][1][words["name"]] = words.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


@dataclass
class Page:
    """One answer: where it was, what it said."""

    status: int
    path: str
    text: str
    location: str = ""
    cookies: dict[str, str] = field(default_factory=dict)

    def form(self, action: str) -> dict[str, str]:
        """The fields of the first form with this action."""
        reader = _Reader()
        reader.feed(self.text)
        return next(fields for where, fields in reader.forms if where == action)


async def get(client: Client, path: str, **headers: str) -> Page:
    """Open a page; does not follow."""
    async with client.get(path, allow_redirects=False, headers=AS_BROWSER | headers) as answer:
        return Page(answer.status, path, await answer.text(), answer.headers.get("Location", ""))


async def post(client: Client, path: str, fields: dict[str, str], **headers: str) -> Page:
    """Send fields; does not follow."""
    async with client.post(path, data=fields, allow_redirects=False, headers=AS_BROWSER | headers) as answer:
        cookies = {name: morsel.output(header="") for name, morsel in answer.cookies.items()}
        location = answer.headers.get("Location", "")
        return Page(answer.status, path, await answer.text(), location, cookies)


async def send(
    client: Client, path: str, /, _page: str | None = None, _action: str | None = None, **fields: str
) -> Page:
    """Open a page (``path`` itself unless another is named) and send its form with these values."""
    page = await get(client, _page or path)
    assert page.status == 200, (page.status, page.location)
    return await post(client, path, page.form(_action or path) | fields)
