"""A camera's own process: a crash, hang or leak in a decoder ends here, with one camera.

Started by pipeline.cameras.process; imports no numpy, OpenCV or models, to stay small; dies with its parent.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys

from pipeline.cameras import wire

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve one camera. Arguments: descriptors of the control and the frames socket, the parent's pid."""
    control_fd, frames_fd, parent = (int(argument) for argument in sys.argv[1:4])
    # SIGKILL, because a process that hangs in native code would outlive anything softer.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    control, frames = socket.socket(fileno=control_fd), socket.socket(fileno=frames_fd)
    try:
        config, _ = wire.receive(control)
        # Here, so that a machine without GStreamer gets a sentence and not a silent death.
        from pipeline.cameras.service import Service

        Service(control, frames, config).run()
    except (EOFError, ConnectionError):
        pass
    except Exception as error:
        wire.send(control, {"kind": "failed", "reason": f"{type(error).__name__}: {error}"})
    # Without Python's and GStreamer's clearing up, which can hang.
    os._exit(0)


if __name__ == "__main__":
    main()
