/**
 * The service worker: keeps the page of crisis help and the card of a broken line with their style and icon, and
 * shows them, with their date, when there is no network: the card in the place of a room. It keeps nothing else,
 * so nothing of a person is ever stored by it. `/worker.js` puts `KEPT` before it: the name of this release's
 * cache, what is kept, and the quick exit's address.
 */

/** A ServiceWorkerGlobalScope, which the library of types for pages does not know. @type {any} */
const worker = self;
/** @type {{ cache: string, language: string, help: string, card: string, files: string[], away: string }} */
const kept = worker.KEPT;
const FRESH_MS = 6 * 3600 * 1000;
const WAIT_MS = 10 * 1000;

/** Fetch a page as nobody, in the language of this phone, and keep it. @param {string} path */
async function keepPage(path) {
  const cache = await caches.open(kept.cache);
  const there = await cache.match(path);
  const at = there && Date.parse(there.headers.get('Date') ?? '');
  if (at && Date.now() - at < FRESH_MS) return;
  const answer = await fetch(path, { credentials: 'omit', headers: { 'Accept-Language': kept.language } });
  if (answer.ok) await cache.put(path, answer);
}

const keepHelp = () => Promise.all([keepPage(kept.help), keepPage(kept.card)]);

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

/**
 * A line that swallows everything keeps a browser waiting for minutes; then too there is no network.
 * @param {Request} request
 * @returns {Promise<Response>}
 */
function inTime(request) {
  return new Promise((done, failed) => {
    setTimeout(failed, WAIT_MS);
    fetch(request).then(done, failed);
  });
}

/** @param {Request} request */
async function withoutNetwork(request) {
  const path = new URL(request.url).pathname;
  if (path === '/exit') return Response.redirect(kept.away);
  return (await caches.match(path.startsWith('/room/') ? kept.card : kept.help)) ?? Response.error();
}

worker.addEventListener('fetch', (/** @type {any} */ event) => {
  const { request } = event;
  if (request.mode === 'navigate' && request.method === 'GET') event.respondWith(inTime(request).catch(() => withoutNetwork(request)));
  else if (kept.files.includes(new URL(request.url).pathname)) event.respondWith(caches.match(request).then((there) => there ?? fetch(request)));
});
