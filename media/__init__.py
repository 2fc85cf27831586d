"""Packets: the relay that carries voice and video. Knows no person and no table."""
