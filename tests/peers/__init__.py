"""An independent WebRTC peer, written from signaling.md alone: it shares no code with the server."""
