"""RTSP and files in: frames with their capture time, the encoded ring for evidence, and a replay server.

The worker uses `camera.Camera`, checks use `probe.probe`, trials use `replay.ReplayServer`. Each camera
runs in a process of its own (`child`), which imports this package too: so nothing heavy is imported here.
"""
