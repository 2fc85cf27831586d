"""What the page tests look at: one person's page in a given shape, its audit, and its picture."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Browser, Page, ViewportSize

ROOT = Path(__file__).parents[2]
AXE = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
PICTURES = ROOT / "tests" / "out" / "pages"

PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1280, "height": 800}

VIOLATIONS = """
window.violations = [];
document.addEventListener('securitypolicyviolation', (event) =>
  window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""

# What no picture may show: something wider than the page, a control that is too small to touch
# (WCAG 2.5.8 asks for 24 px, we for 36), or one that lies outside the window.
LAYOUT = """() => {
  const wrong = [];
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) wrong.push(`page is ${wide} wide`);
  const top = [...document.querySelectorAll('dialog[open]')].at(-1) ?? document;
  for (const element of top.querySelectorAll('button, select, textarea, summary, .languages a')) {
    if (!element.checkVisibility()) continue;
    const at = element.getBoundingClientRect();
    const name = element.id || element.dataset.action || element.textContent.trim();
    if (at.width < 36 || at.height < 36) wrong.push(`${name} is ${at.width} x ${at.height}`);
    if (at.left < 0 || at.right > innerWidth) wrong.push(`${name} is cut off`);
  }
  const row = document.querySelector('#controls');
  const below = row.checkVisibility() && row.getBoundingClientRect().bottom > innerHeight + 1;
  if (below) wrong.push('controls below the window');
  return wrong;
}"""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a page is looked at."""

    size: ViewportSize
    scheme: Literal["light", "dark"]
    locale: str

    @property
    def name(self) -> str:
        """For a file name."""
        return f"{self.size['width']}-{self.scheme}-{self.locale[:2]}"


@dataclass(slots=True)
class Room:
    """One person's page."""

    page: Page
    shape: Shape
    errors: list[str]

    async def open(self, url: str) -> None:
        """Go to an address and wait for the preview (or what stands in its place)."""
        await self.page.goto(url)
        await self.page.wait_for_selector("main[data-state]")

    async def act(self, action: str) -> None:
        """Press a control."""
        await self.page.click(f"[data-action={action}]:visible")

    async def join(self) -> None:
        """Come in from the preview."""
        await self.page.click("[data-action=join]:enabled")

    async def reaches(self, state: str) -> None:
        """Wait for a state of the page."""
        await self.page.wait_for_selector(f"main[data-state={state}]", timeout=15_000)

    async def sees(self, selector: str) -> None:
        """Wait until something is shown."""
        await self.page.wait_for_selector(selector, state="visible", timeout=15_000)

    async def audit(self, name: str, *, scripts: bool = True) -> None:
        """Take the picture; axe, the layout and the content policy must have nothing to say."""
        await self.page.wait_for_timeout(260)  # what comes in softly has come in
        PICTURES.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=PICTURES / f"{name}-{self.shape.name}.png")
        found = [*await violations(self.page), *await self.page.evaluate("window.violations"), *self.errors]
        if scripts:
            found += await self.page.evaluate(LAYOUT)
        assert not found, f"{name} {self.shape.name}: {found}"


async def violations(page: Page) -> list[str]:
    """What axe finds, by all its rules."""
    await page.evaluate(f"window.axe ? null : (() => {{ {AXE} }})()")
    found: list[dict[str, Any]] = await page.evaluate(
        "axe.run(document, {resultTypes: ['violations']}).then((result) => result.violations)"
    )
    return [
        f"{each['id']}: {json.dumps([node['target'] for node in each['nodes']])} "
        f"{each['nodes'][0].get('failureSummary', '')}"
        for each in found
    ]


@contextlib.asynccontextmanager
async def room(browser: Browser, shape: Shape, *, script: str = "") -> AsyncIterator[Room]:
    """A page of a given shape, in a browser context of its own."""
    context = await browser.new_context(
        viewport=shape.size,
        color_scheme=shape.scheme,
        locale=shape.locale,
        permissions=["camera", "microphone"],
    )
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.add_init_script(VIOLATIONS + script)
    try:
        yield Room(page, shape, errors)
    finally:
        await context.close()
