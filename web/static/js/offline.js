/**
 * Keeps the page of crisis help on a phone that is one's own alone: at once where its owner said so
 * (`data-keep="own"` on the page), else by the button on the crisis page, which also takes it away again.
 */

const page = document.documentElement;
const button = /** @type {HTMLButtonElement | null} */ (document.querySelector('[data-action="keep-help"]'));
const able = 'serviceWorker' in navigator;

async function keep() {
  const registration = await navigator.serviceWorker.register(`/worker.js?language=${page.lang}`, { scope: '/' });
  registration.active?.postMessage('look');
}

async function forget() {
  for (const registration of await navigator.serviceWorker.getRegistrations()) await registration.unregister();
  for (const name of await caches.keys()) await caches.delete(name);
}

async function show() {
  if (!button) return;
  const there = Boolean(await navigator.serviceWorker.getRegistration('/'));
  const words = there ? button.dataset.forget : button.dataset.keep;
  button.textContent = words ?? '';
  button.setAttribute('aria-pressed', String(there));
  const row = button.closest('[hidden]');
  if (row instanceof HTMLElement) row.hidden = false;
}

if (able) {
  if (page.dataset.keep === 'own' || (await navigator.serviceWorker.getRegistration('/'))) await keep().catch(() => undefined);
  await show();
  button?.addEventListener('click', async () => {
    await (button.getAttribute('aria-pressed') === 'true' ? forget() : keep());
    await show();
  });
}
