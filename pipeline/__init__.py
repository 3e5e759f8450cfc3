"""Ngã Tư: traffic-camera video analytics, from RTSP to provable violation candidates."""

__version__ = "0.1.0"
