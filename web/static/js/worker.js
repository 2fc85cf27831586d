/**
 * The service worker: keeps the page of crisis help with its style and icon, and shows it, with its date,
 * when there is no network. It keeps nothing else, so nothing of a person is ever stored by it. `/worker.js`
 * puts `KEPT` before it: the name of this release's cache, what is kept, and the quick exit's address.
 */

/** A ServiceWorkerGlobalScope, which the library of types for pages does not know. @type {any} */
const worker = self;
/** @type {{ cache: string, language: string, help: string, files: string[], away: string }} */
const kept = worker.KEPT;
const FRESH_MS = 6 * 3600 * 1000;

/** Fetch the page of help as nobody, in the language of this phone, and keep it. */
async function keepHelp() {
  const cache = await caches.open(kept.cache);
  const there = await cache.match(kept.help);
  const at = there && Date.parse(there.headers.get('Date') ?? '');
  if (at && Date.now() - at < FRESH_MS) return;
  const answer = await fetch(kept.help, { credentials: 'omit', headers: { 'Accept-Language': kept.language } });
  if (answer.ok) await cache.put(kept.help, answer);
}

worker.addEventListener('install', (/** @type {any} */ event) => {
  const files = caches.open(kept.cache).then((cache) => cache.addAll(kept.files));
  event.waitUntil(Promise.all([files, keepHelp()]).then(() => worker.skipWaiting()));
});

worker.addEventListener('activate', (/** @type {any} */ event) => {
  const old = caches.keys().then((names) => Promise.all(names.filter((name) => name !== kept.cache).map((name) => caches.delete(name))));
  event.waitUntil(old.then(() => worker.clients.claim()));
});

/** The quick exit without a network: the page is gone before it could take anything away. */
async function leave() {
  await Promise.all((await caches.keys()).map((name) => caches.delete(name)));
  await worker.registration.unregister();
}

worker.addEventListener('message', (/** @type {any} */ event) => event.waitUntil(event.data === 'leave' ? leave() : keepHelp().catch(() => undefined)));

/** @param {Request} request */
async function withoutNetwork(request) {
  if (new URL(request.url).pathname === '/exit') return Response.redirect(kept.away);
  return (await caches.match(kept.help)) ?? Response.error();
}

worker.addEventListener('fetch', (/** @type {any} */ event) => {
  const { request } = event;
  if (request.mode === 'navigate' && request.method === 'GET') event.respondWith(fetch(request).catch(() => withoutNetwork(request)));
  else if (kept.files.includes(new URL(request.url).pathname)) event.respondWith(caches.match(request).then((there) => there ?? fetch(request)));
});
