// @ts-check
/**
 * @file The page's state: one string, one table, mirrored to `<main data-state data-mode>`.
 *
 *     preview --join--> joining --alone--> waiting <--alone/met--> connected
 *                          |                  \                     /
 *                          |                   `-broke-> interrupted
 *                          `--- leave/moved ---> left --join--> joining        end ---> ended
 */

/** @typedef {'preview'|'joining'|'waiting'|'connected'|'interrupted'|'left'|'ended'} State */
/** @typedef {'video'|'voice'|'chat'} Mode */
/** @typedef {'join'|'alone'|'met'|'broke'|'leave'|'end'} Happening */

/** @type {Record<State, Partial<Record<Happening, State>>>} */
export const TRANSITIONS = {
  preview: { join: 'joining', leave: 'left', end: 'ended' },
  joining: { join: 'joining', alone: 'waiting', met: 'connected', broke: 'interrupted', leave: 'left', end: 'ended' },
  waiting: { alone: 'waiting', met: 'connected', broke: 'interrupted', leave: 'left', end: 'ended' },
  connected: { alone: 'waiting', met: 'connected', broke: 'interrupted', leave: 'left', end: 'ended' },
  interrupted: { alone: 'waiting', met: 'connected', broke: 'interrupted', leave: 'left', end: 'ended' },
  left: { join: 'joining', leave: 'left', end: 'ended' },
  ended: { end: 'ended' },
};

/**
 * The state after `happening`; throws for a pair that is not in the table.
 * @param {State} state
 * @param {Happening} happening
 * @returns {State}
 */
export function next(state, happening) {
  const to = TRANSITIONS[state][happening];
  if (!to) throw new Error(`invalid_state: ${state} ${happening}`);
  return to;
}

/**
 * What the two lines and the other person's state mean for us.
 * @param {{mode: Mode, peer: string, own: 'ok'|'silent', media: boolean, met: boolean}} facts
 *   `peer` as on the wire, `own` our own line, `media` whether our connection carries media,
 *   `met` whether the two were together before in this page
 * @returns {'alone'|'met'|'broke'}
 */
export function standing({ mode, peer, own, media, met }) {
  if (peer === 'interrupted') return 'broke';
  if (mode === 'chat') return own === 'silent' ? 'broke' : peer === 'connected' ? 'met' : 'alone';
  if (peer === 'connected') return own === 'silent' || (met && !media) ? 'broke' : media ? 'met' : 'alone';
  if (peer === 'connecting' && met) return 'broke';
  return 'alone';
}

/** Whether the page is inside the session in this state. @param {State} state */
export const inside = (state) => state === 'waiting' || state === 'connected' || state === 'interrupted' || state === 'joining';

/**
 * Holds the state and the mode and writes them to the page.
 * @param {HTMLElement} main
 * @param {(state: State, before: State) => void} changed called after a real change
 */
export function makeState(main, changed) {
  /** @type {State} */
  let state = 'preview';
  return {
    get now() {
      return state;
    },
    /** @returns {Mode} */
    get mode() {
      return /** @type {Mode} */ (main.dataset.mode);
    },
    set mode(mode) {
      if (main.dataset.mode !== mode) main.dataset.mode = mode;
    },
    /** @param {Happening} happening */
    apply(happening) {
      const before = state;
      state = next(state, happening);
      if (state === before) return;
      main.dataset.state = state;
      changed(state, before);
    },
  };
}
