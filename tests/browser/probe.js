// Put into every page before its own scripts: lets a test look at what the page does, without a word
// of test code in the page. PORT is the media port of this participant's network, null for any.
(() => {
  const PORT = __PORT__;
  const LOOK = __LOOK__;
  const peers = [];
  const sockets = [];
  window.probe = { peers, sockets };

  const RealPeer = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends RealPeer {
    constructor(...args) {
      super(...args);
      peers.push(this);
    }
    setRemoteDescription(description) {
      if (PORT === null || !description?.sdp) return super.setRemoteDescription(description);
      const rows = description.sdp.split("\r\n");
      const mine = rows.filter((row) => !row.startsWith("a=candidate:") || row.split(" ")[5] === String(PORT));
      return super.setRemoteDescription({ type: description.type, sdp: mine.join("\r\n") });
    }
  };
  const RealSocket = window.WebSocket;
  window.WebSocket = class extends RealSocket {
    constructor(...args) {
      super(...args);
      sockets.push(this);
    }
  };

  if (LOOK && navigator.mediaDevices) {
    // Firefox has no file for its fake camera: its picture is painted, its sound is the fake device's.
    const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (constraints) => {
      const stream = await real(constraints);
      const old = stream.getVideoTracks()[0];
      if (!old) return stream;
      const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 240 });
      const ink = canvas.getContext("2d");
      let turn = 0;
      const paint = () => {
        ink.fillStyle = LOOK;
        ink.fillRect(0, 0, 320, 240);
        ink.fillStyle = "#aaa";
        ink.fillRect((turn++ * 12) % 300, 0, 16, 16);
      };
      paint();
      setInterval(paint, 66);
      stream.removeTrack(old);
      old.stop();
      stream.addTrack(canvas.captureStream(15).getVideoTracks()[0]);
      return stream;
    };
  }

  const current = () => peers.filter((peer) => peer.connectionState !== "closed").at(-1);
  window.probe.current = current;

  window.probe.stats = async () => {
    const found = { pairs: [] };
    const peer = current();
    if (!peer) return found;
    const report = await peer.getStats();
    report.forEach((each) => {
      if (each.type === "inbound-rtp") {
        found[`in_${each.kind}`] = {
          packets: each.packetsReceived ?? 0,
          bytes: each.bytesReceived ?? 0,
          frames: each.framesDecoded ?? 0,
          energy: each.totalAudioEnergy ?? 0,
        };
      }
      if (each.type === "outbound-rtp") {
        found[`out_${each.kind}`] = { packets: each.packetsSent ?? 0, bytes: each.bytesSent ?? 0 };
      }
      // Firefox marks the pair itself, Chromium names it in the transport.
      const chosen = each.type === "transport" ? report.get(each.selectedCandidatePairId) : each.selected ? each : null;
      if (chosen) {
        const remote = report.get(chosen.remoteCandidateId);
        const kind = report.get(chosen.localCandidateId)?.candidateType;
        found.pairs.push({ protocol: remote?.protocol, port: remote?.port, kind, sent: chosen.bytesSent ?? 0 });
      }
    });
    return found;
  };

  window.probe.colour = () => {
    const video = document.querySelector("#remote");
    if (!video || !video.videoWidth) return null;
    const canvas = Object.assign(document.createElement("canvas"), { width: 16, height: 16 });
    const ink = canvas.getContext("2d");
    ink.drawImage(video, 0, 0, 16, 16);
    return [...ink.getImageData(8, 10, 1, 1).data].slice(0, 3);
  };

  // The share of the sound's power at each frequency (Goertzel), of what is heard in this time.
  // Recorded and decoded, because Firefox's AudioContext does not run without a sound sink.
  window.probe.tones = async (frequencies, ms) => {
    const track = current()?.getReceivers().find((each) => each.track.kind === "audio")?.track;
    if (!track) return null;
    const recorder = new MediaRecorder(new MediaStream([track]));
    const chunks = [];
    recorder.ondataavailable = (event) => chunks.push(event.data);
    const stopped = new Promise((resolve) => (recorder.onstop = resolve));
    recorder.start();
    await new Promise((resolve) => setTimeout(resolve, ms));
    recorder.stop();
    await stopped;
    const bytes = await new Blob(chunks).arrayBuffer();
    if (!bytes.byteLength) return null;
    const sound = await new OfflineAudioContext(1, 48000, 48000).decodeAudioData(bytes);
    const samples = sound.getChannelData(0);
    const block = 4800;
    let total = 0;
    const power = frequencies.map(() => 0);
    for (let start = 0; start + block <= samples.length; start += block) {
      for (let index = 0; index < block; index++) total += samples[start + index] ** 2;
      frequencies.forEach((hz, which) => {
        const factor = 2 * Math.cos((2 * Math.PI * hz) / 48000);
        let [one, two] = [0, 0];
        for (let index = 0; index < block; index++) [one, two] = [samples[start + index] + factor * one - two, one];
        power[which] += (2 * (one * one + two * two - factor * one * two)) / block;
      });
    }
    return { seconds: samples.length / 48000, loudness: total / samples.length, shares: power.map((each) => each / (total || 1)) };
  };

  // Samples of [ms since the epoch, voice packets received, data-state, peer connections made].
  window.probe.watch = (everyMs) => {
    const rows = (window.probe.rows = []);
    const sample = async () => {
      const audio = current()?.getReceivers().find((each) => each.track.kind === "audio");
      let packets = 0;
      (await audio?.getStats())?.forEach((each) => {
        if (each.type === "inbound-rtp") packets = each.packetsReceived ?? 0;
      });
      rows.push([Date.now(), packets, document.querySelector("main").dataset.state, peers.length]);
    };
    setInterval(() => void sample().catch(() => {}), everyMs);
  };
})();
