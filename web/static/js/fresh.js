// @ts-check
/**
 * A page that shows what is so now: what is inside `data-fresh` is asked for again and again while it is looked at.
 */

const EVERY_MS = 5000;

async function renew() {
  const here = document.querySelector('[data-fresh]');
  if (!here || document.visibilityState !== 'visible') return;
  /** @type {Response} */
  let answer;
  try {
    answer = await fetch(location.href, { headers: { Accept: 'text/html' }, cache: 'no-store' });
  } catch {
    return;
  }
  if (answer.redirected) {
    location.replace(answer.url);
    return;
  }
  if (!answer.ok) return;
  const there = new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('[data-fresh]');
  if (!there || there.textContent === here.textContent) return;
  const focused = here.contains(document.activeElement) ? document.activeElement?.getAttribute('href') : null;
  here.replaceChildren(...there.childNodes);
  const again = focused === null ? null : here.querySelector(`a[href="${CSS.escape(focused ?? '')}"]`);
  if (again instanceof HTMLElement) again.focus({ preventScroll: true });
}

setInterval(() => void renew(), EVERY_MS);
document.addEventListener('visibilitychange', () => void renew());
