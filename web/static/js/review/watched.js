// @ts-check
/**
 * @file Tells the server what was played, every few seconds and whenever it stops, and learns from the answer
 * whether this page may go on. What cannot be told, because there is no network, is told when it is back.
 */

const EVERY_MS = 5000;
/** The server believes no report of more than a minute; what follows on is put into one up to here, in ms. */
const LONGEST_MS = 50_000;
/** So many asked without a yes, and nobody knows whether leave to watch still stands: 20 s at most. */
const UNANSWERED = 3;

/** @typedef {{from_ms: number, to_ms: number}} Stretch */

/**
 * @param {string} recording
 * @param {() => {ms: number, playing: boolean}} where
 * @param {() => void} ended what to do when the server does not let the page go on
 * @param {(yes: boolean) => void} heard told whether the server has let it go on lately, as often as it is asked
 */
export function watch(recording, where, ended, heard) {
  /** @type {number | null} */
  let from = null;
  /** What was played and the server has not heard of, in its order. @type {Stretch[]} */
  const untold = [];
  let telling = false;
  /** Whether the first of them is on its way. */
  let sending = false;
  let unanswered = 0;

  /** @param {Stretch | {}} report */
  const send = (report) =>
    fetch(`/api/v1/recordings/${recording}/watched`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(report),
      keepalive: true,
    });

  /** Tell what is untold, or that the page is still there. */
  const tell = async () => {
    if (telling) return;
    telling = true;
    try {
      do {
        const first = untold[0];
        sending = first !== undefined;
        const answer = await send(first ?? {});
        if ([401, 403, 404].includes(answer.status)) {
          untold.length = 0;
          ended();
          return;
        }
        if (!answer.ok && answer.status !== 422) return;
        unanswered = 0;
        heard(true);
        if (first) untold.shift();
      } while (untold.length);
    } catch {
      // No network: it stays untold until the next time.
    } finally {
      telling = sending = false;
    }
  };

  /** @param {Stretch} played */
  const add = (played) => {
    const last = untold.length > (sending ? 1 : 0) ? untold[untold.length - 1] : undefined;
    const follows = last?.to_ms === played.from_ms && played.to_ms - last.from_ms <= LONGEST_MS;
    if (last && follows) last.to_ms = played.to_ms;
    else untold.push(played);
  };

  /** Say what was played since the last time; from here on it counts anew. */
  const flush = () => {
    const now = where();
    if (from !== null && now.ms > from) {
      add({ from_ms: from, to_ms: now.ms });
      void tell();
    }
    from = now.playing ? now.ms : null;
  };

  setInterval(() => {
    if (++unanswered > UNANSWERED) heard(false);
    if (where().playing || from !== null) flush();
    void tell();
  }, EVERY_MS);
  addEventListener("online", () => void tell());
  addEventListener("pagehide", () => {
    flush();
    for (const one of untold.splice(sending ? 1 : 0)) void send(one).catch(() => undefined);
  });

  return {
    flush,
    /** A jump: what lies between is not watched, however it comes to an end. */
    leave() {
      flush();
      from = null;
    },
    /** Playing began, or jumped: what comes now is another stretch. */
    begin() {
      from = where().ms;
    },
    ask: () => void tell(),
  };
}
