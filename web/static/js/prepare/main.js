// @ts-check
/** @file The page where devices and the line are tried before a session. */

import { advise } from './advice.js';
import { camera, microphone, speaker, stopAll } from './devices.js';
import { probe, Refused } from './probe.js';
import { t, the } from './texts.js';

/**
 * @param {string} id
 * @param {() => Promise<void>} act
 */
function on(id, act) {
  document.getElementById(id)?.addEventListener('click', () => void act());
}

/**
 * @param {string} label
 * @param {string} value
 */
function fact(label, value) {
  const facts = the('line-facts', HTMLElement);
  const term = document.createElement('dt');
  const said = document.createElement('dd');
  term.textContent = label;
  said.textContent = value;
  facts.append(term, said);
}

async function line() {
  const said = the('line-said', HTMLElement);
  const facts = the('line-facts', HTMLElement);
  const button = the('line', HTMLButtonElement);
  button.disabled = true;
  facts.hidden = true;
  facts.replaceChildren();
  /** @param {'connecting' | 'measuring' | 'refused'} state */
  const tell = (state) => {
    said.dataset.state = state;
    said.textContent = t(`prepare.line_${state}`);
  };
  const measured = await probe(tell).catch((error) => {
    if (error instanceof Refused) return error;
    throw error;
  });
  button.disabled = false;
  if (measured instanceof Refused) {
    tell('refused');
    return;
  }
  const advice = advise(measured);
  said.dataset.state = advice;
  said.textContent = t(`prepare.advice_${advice}`);
  if (measured) {
    fact(t('prepare.rtt'), t('prepare.ms', { value: measured.rttMs }));
    fact(t('prepare.loss'), t('prepare.percent', { value: measured.lossPct }));
    fact(t('prepare.speed'), t('prepare.kbps', { value: measured.kbps }));
    if (measured.estimateKbps !== null) {
      fact(t('prepare.estimate'), t('prepare.estimate_kbps', { value: measured.estimateKbps }));
    }
    fact(t('prepare.way'), t(measured.tcp ? 'prepare.way_tcp' : 'prepare.way_udp'));
    facts.hidden = false;
  }
}

on('mic', microphone);
on('speaker', speaker);
on('camera', camera);
on('line', line);
addEventListener('pagehide', stopAll);
document.addEventListener('teduh:exit', stopAll);
the('prepare', HTMLElement).hidden = false;
