// @ts-check
/**
 * @file Tells the server what was played, every few seconds and whenever it stops, and learns from the answer
 * whether this page may go on.
 */

const EVERY_MS = 5000;

/**
 * @param {string} recording
 * @param {() => {ms: number, playing: boolean}} where
 * @param {() => void} ended what to do when the server does not let the page go on
 */
export function watch(recording, where, ended) {
  /** @type {number | null} */
  let from = null;

  /** @param {object} report */
  const tell = async (report) => {
    try {
      const answer = await fetch(`/api/v1/recordings/${recording}/watched`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(report),
        keepalive: true,
      });
      if ([401, 403, 404].includes(answer.status)) ended();
    } catch {
      // No network: nothing more is sent either, and what was played of the rest stays untold.
    }
  };

  /** Say what was played since the last time; from here on it counts anew. */
  const flush = () => {
    const now = where();
    if (from !== null && now.ms > from) void tell({ from_ms: from, to_ms: now.ms });
    from = now.playing ? now.ms : null;
  };

  setInterval(() => {
    if (where().playing || from !== null) flush();
    else void tell({});
  }, EVERY_MS);
  addEventListener("pagehide", flush);

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
    ask: () => void tell({}),
  };
}
