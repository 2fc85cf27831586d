// Put into a page: a camera and a microphone that say what time it is, and what reads it from a player again.
// The picture counts the ticks since 1970 in stripes (a Gray code, so that a stripe that is late is one tick), the
// tone goes up with each second. While `stamps.offTheRecord` the tone is another one. SIDE is the number of the side.
(() => {
  const [SIDE, BITS, TICK_MS] = __STAMPS__;
  const BASE_HZ = [400, 1300];
  const OFF_HZ = [2400, 2900];
  const stamps = (globalThis.stamps = { offTheRecord: false });

  const film = () => {
    const canvas = Object.assign(document.createElement("canvas"), { width: BITS * 32, height: 240 });
    const ink = canvas.getContext("2d");
    const sound = new AudioContext();
    const tone = new OscillatorNode(sound);
    const out = sound.createMediaStreamDestination();
    tone.connect(new GainNode(sound, { gain: 0.4 })).connect(out);
    tone.start();
    let shown = -1;
    setInterval(() => {
      const now = Date.now();
      tone.frequency.value = stamps.offTheRecord ? OFF_HZ[SIDE] : BASE_HZ[SIDE] + 200 * (Math.floor(now / 1000) % 4);
      const tick = Math.floor(now / TICK_MS);
      if (tick === shown) return;
      shown = tick;
      const low = tick & ((1 << BITS) - 1);
      const code = low ^ (low >>> 1);
      for (let bit = 0; bit < BITS; bit += 1) {
        ink.fillStyle = (code >>> bit) & 1 ? "#e0e0e0" : "#202020";
        ink.fillRect(bit * 32, 0, 32, 240);
      }
    }, 10);
    return { audio: out.stream.getAudioTracks()[0], video: canvas.captureStream().getVideoTracks()[0] };
  };
  let made = null;
  if (navigator.mediaDevices) {
    navigator.mediaDevices.getUserMedia = async ({ audio, video }) => {
      made ??= film();
      const asked = [audio && made.audio, video && made.video].filter(Boolean);
      return new MediaStream(asked.map((track) => track.clone()));
    };
  }

  const sheet = Object.assign(document.createElement("canvas"), { width: BITS * 8, height: 8 });
  /** The code that a player shows. */
  const code = (video) => {
    const ink = sheet.getContext("2d", { willReadFrequently: true });
    ink.drawImage(video, 0, 0, sheet.width, 8);
    const { data } = ink.getImageData(0, 4, sheet.width, 1);
    let found = 0;
    for (let bit = 0; bit < BITS; bit += 1) found += (data[4 * (bit * 8 + 4) + 1] > 125) << bit;
    return found;
  };
  /** Gives a function that says which tone there was within the last sixth of a second, 0 when it was quiet. */
  const listen = (context, source) => {
    const ear = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
    source.connect(ear).connect(new GainNode(context, { gain: 0 })).connect(context.destination);
    const power = new Float32Array(ear.frequencyBinCount);
    return () => {
      ear.getFloatFrequencyData(power);
      const loudest = power.indexOf(Math.max(...power));
      return power[loudest] < -60 ? 0 : (loudest * context.sampleRate) / ear.fftSize;
    };
  };

  /** What the other side of a call sounds like. */
  stamps.heard = () => {
    const { srcObject } = document.querySelector("#remote");
    if (!stamps.ear) {
      const context = new AudioContext();
      stamps.ear = listen(context, context.createMediaStreamSource(srcObject));
    }
    return stamps.ear();
  };
  /** What both players show now. */
  stamps.shown = () => [...document.querySelectorAll("video")].map((one) => [one.currentTime * 1000, code(one)]);
  /** What both players show and sound like for a while: rows of [ms, code, Hz] for each side. */
  stamps.played = async (ms) => {
    const videos = [...document.querySelectorAll("video")];
    const context = new AudioContext();
    stamps.ears ??= videos.map((one) => listen(context, context.createMediaElementSource(one)));
    const rows = [];
    const until = performance.now() + ms;
    while (performance.now() < until) {
      await new Promise((done) => setTimeout(done, 50));
      rows.push(videos.map((one, side) => [one.currentTime * 1000, code(one), stamps.ears[side]()]));
    }
    return rows;
  };
})();
