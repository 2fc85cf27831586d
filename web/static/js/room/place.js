// @ts-check
/** @file A person's place: the link's code or the cookie is exchanged for a ticket, and what a tab keeps of it. */

/**
 * @typedef {object} Place
 * @property {string} participant
 * @property {string} session
 * @property {'client'|'counselor'} role
 * @property {import('./state.js').Mode} mode
 * @property {string} recording
 * @property {boolean} login somebody's login opens it: they have a page of their recordings
 * @property {boolean} agreed who sits here agreed to be recorded once
 * @property {boolean} recorded the session was
 * @property {string} ticket goes with the WebSocket's upgrade; bound to the cookie
 */

/** Why a place does not open: `none` no link at all, `closed` not (or no longer) valid, `busy`, `offline`. */
export class PlaceError extends Error {
  /** @param {'none'|'closed'|'busy'|'offline'} kind */
  constructor(kind) {
    super(kind);
    this.kind = kind;
  }
}

/** After a cut a browser may wait for minutes on the connection it had; then another try does better. */
const ANSWER_WITHIN_MS = 8000;

/**
 * @param {string} path
 * @param {object} body
 * @returns {Promise<Place>}
 */
async function post(path, body) {
  let response;
  try {
    response = await fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
      credentials: 'same-origin',
      cache: 'no-store',
      signal: globalThis.AbortSignal.timeout?.(ANSWER_WITHIN_MS) ?? null,
    });
  } catch {
    throw new PlaceError('offline');
  }
  if (response.ok) return response.json();
  if (response.status === 429) throw new PlaceError('busy');
  throw new PlaceError(response.status >= 500 ? 'offline' : 'closed');
}

/** The participant that the address names, or an empty string. */
const named = () => /^\/room\/([\w-]+)$/.exec(location.pathname)?.[1] ?? '';

/**
 * Opens the place of this address. The code leaves the address and the history at once.
 * @returns {Promise<Place>}
 */
export async function openPlace() {
  const code = decodeURIComponent(location.hash.slice(1));
  if (code) {
    const place = await post('/api/v1/place', { code });
    history.replaceState(null, '', `/room/${place.participant}`);
    return place;
  }
  if (!named()) throw new PlaceError('none');
  return renewPlace(named());
}

/**
 * A new ticket for a place whose cookie this browser has.
 * @param {string} participant
 */
export const renewPlace = (participant) => post(`/api/v1/place/${encodeURIComponent(participant)}/ticket`, {});

/**
 * What this tab keeps so that a reload comes back at once. It goes with the tab.
 * @typedef {object} Kept
 * @property {string} key the resume key
 * @property {number} seq
 * @property {boolean} mic
 * @property {boolean} camera
 * @property {string} picture the picture that the person chose, '' when the line decides
 * @property {number | null} budget MB that this session may cost
 * @property {number} until until when the place is kept while the line is broken, ms since 1970; 0 while it is not
 * @property {string} does what a drop does, for the card that a phone keeps (js/card.js)
 * @property {boolean} left the person left, and the server could not be told: the key still opens the place
 */

/** @param {string} participant */
export function keeper(participant) {
  const name = `teduh.place.${participant}`;
  return {
    /** @returns {Partial<Kept>} */
    read() {
      try {
        return JSON.parse(sessionStorage.getItem(name) ?? '{}');
      } catch {
        return {};
      }
    },
    /** @param {Partial<Kept>} part */
    keep(part) {
      try {
        sessionStorage.setItem(name, JSON.stringify({ ...this.read(), ...part }));
      } catch {
        // A browser without storage loses only the quick return after a reload.
      }
    },
    forget() {
      try {
        sessionStorage.removeItem(name);
      } catch {
        // As above.
      }
    },
  };
}
