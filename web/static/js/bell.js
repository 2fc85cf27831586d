/** The bell of an alarm: two tones, twice, and a phone that shakes. */

const BELLS_HZ = [880, 1175, 880, 1175];
const BELL_S = 0.22;

/** One ring, as far as the browser lets us. @param {AudioContext | null} audio @returns {boolean} whether it sounds */
export function ring(audio) {
  navigator.vibrate?.([400, 150, 400]);
  if (audio?.state !== 'running') return false;
  BELLS_HZ.forEach((hz, number) => {
    const at = audio.currentTime + number * BELL_S;
    const tone = audio.createOscillator();
    const level = audio.createGain();
    tone.frequency.value = hz;
    level.gain.setValueAtTime(0.0001, at);
    level.gain.exponentialRampToValueAtTime(0.5, at + 0.02);
    level.gain.exponentialRampToValueAtTime(0.0001, at + BELL_S);
    tone.connect(level).connect(audio.destination);
    tone.start(at);
    tone.stop(at + BELL_S);
  });
  return true;
}
