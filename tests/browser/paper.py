"""Pages that are read and filled in: pictured, and without anything for axe or the ruler to find."""

from __future__ import annotations

import io
import re

import segno
from PIL import Image
from playwright.async_api import Page, expect

from tests.browser.rooms import PICTURES, Room, violations

# WCAG 2.5.8 asks for targets of 24 px; links inside a sentence are left out, as it does.
RULER = """() => {
  const wrong = [];
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) wrong.push(`page is ${wide} wide`);
  for (const element of document.querySelectorAll('button, input, select, textarea, summary, a')) {
    if (!element.checkVisibility() || element.type === 'hidden') continue;
    if (element.closest('.skip, li, p:not(.go)') && element.tagName === 'A') continue;
    const at = element.getBoundingClientRect();
    const name = element.id || element.name || element.textContent.trim();
    if (at.width < 24 || at.height < 24) wrong.push(`${name} is ${at.width} x ${at.height}`);
    if (at.left < -1 || at.right > innerWidth + 1) wrong.push(`${name} is cut off`);
  }
  if (document.querySelectorAll('h1').length !== 1) wrong.push('not one h1');
  return wrong;
}"""


async def look(one: Room, name: str) -> None:
    """Take the whole page's picture, and let axe, the ruler and the content policy speak."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    await one.page.screenshot(path=PICTURES / f"{name}-{one.shape.name}.png", full_page=True)
    found = [*await violations(one.page), *await one.page.evaluate("window.violations"), *one.errors]
    found += await one.page.evaluate(RULER)
    assert not found, f"{name} {one.shape.name}: {found}"


async def press(page: Page, form: str) -> None:
    """Send the form with this action by its own button."""
    await page.click(f"form[action='{form}'] button[type=submit]")


async def at(page: Page, path: str) -> None:
    """Wait until the page's path is this one."""
    await expect(page).to_have_url(re.compile(rf"^[^/]*//[^/]*{re.escape(path)}(?:\\?.*)?$"))


async def virtual_key(page: Page) -> None:
    """Give the browser a security key that says yes (WebAuthn, 11: automation)."""
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable")
    await devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )


async def shows_code(page: Page, uri: str) -> None:
    """The QR code in the page has the modules that it must have, dark on light."""
    modules = [list(row) for row in segno.make(uri, micro=False).matrix_iter(border=4)]
    shot = Image.open(io.BytesIO(await page.locator(".qr svg").screenshot())).convert("L")
    size = len(modules)
    for y, row in enumerate(modules):
        for x, dark in enumerate(row):
            at_xy = (int((x + 0.5) * shot.width / size), int((y + 0.5) * shot.height / size))
            level = shot.getpixel(at_xy)
            assert isinstance(level, int | float)
            assert (level < 128) is bool(dark), (x, y)
