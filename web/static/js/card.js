/**
 * The card of a broken line that a phone keeps: shown in the place of the room when that is opened without a
 * network. Until when the place is kept and what a drop does was left in this tab by the room, and goes with
 * it. It asks now and then whether the network is back, and then opens the room again.
 */

const ASK_MS = 5000;
const ANSWER_WITHIN_MS = 4000;

const participant = /^\/room\/([\w-]+)$/.exec(location.pathname)?.[1] ?? '';

/** @returns {{until?: number, does?: string}} */
function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(`teduh.place.${participant}`) ?? '{}');
  } catch {
    return {};
  }
}

function show() {
  const { until, does } = kept();
  const line = document.getElementById('until');
  const at = line?.querySelector('b');
  if (line && at && until && until > Date.now()) {
    at.textContent = new Intl.DateTimeFormat(document.documentElement.lang, { hour: '2-digit', minute: '2-digit' }).format(until);
    line.hidden = false;
  } else if (line) line.hidden = true;
  for (const one of document.querySelectorAll('[data-does]')) {
    if (one instanceof HTMLElement) one.hidden = one.dataset.does !== does;
  }
}

/** Opens the room again as soon as the server answers. */
async function again() {
  try {
    const answer = await fetch('/healthz', { cache: 'no-store', signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
    if (answer.ok) location.reload();
  } catch {
    // Still no network: the next try comes by itself.
  }
}

// Kept in another tab's place: opened by its own address there is nothing to come back to.
if (participant) {
  show();
  setInterval(show, 20_000);
  setInterval(() => void again(), ASK_MS);
  addEventListener('online', () => void again());
}
