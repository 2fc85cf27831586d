// Proposes the zone of this browser's clock, where the page shows another one. Nothing is kept.

const proposal = /** @type {HTMLElement | null} */ (document.querySelector("[data-zone]"));
const select = /** @type {HTMLSelectElement | null} */ (document.querySelector("select[name=zone]"));
const here = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** Whether two zones show the same time now: then nobody needs to choose. @param {string} one @param {string} other */
function sameClock(one, other) {
  const now = new Date();
  /** @param {string} timeZone */
  const at = (timeZone) => now.toLocaleString("en", { timeZone, dateStyle: "short", timeStyle: "short" });
  return at(one) === at(other);
}

if (proposal && select && here && !sameClock(here, proposal.dataset.zone ?? "UTC")) {
  const name = proposal.querySelector("[data-zone-name]");
  if (name) name.textContent = (here.split("/").pop() ?? here).replaceAll("_", " ");
  proposal.hidden = false;
  proposal.querySelector("button")?.addEventListener("click", () => {
    if (![...select.options].some((option) => option.value === here)) select.add(new Option(here, here));
    select.value = here;
    select.form?.requestSubmit();
  });
}
