"""Cameras in: RTSP streams and files to frames, with capture time and an encoded ring."""
