"""Test clips whose pictures say their own number, so that a decoded picture proves which one it is."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.cameras.gst import Gst

_BITS = 12
_ENCODERS = {
    "h264": "x264enc speed-preset=ultrafast bitrate=1500 key-int-max={gop} bframes={bframes} b-adapt=false "
    "! video/x-h264,profile=high ! h264parse",
    "h264-sliced": "x264enc speed-preset=ultrafast tune=zerolatency threads=2 key-int-max={gop} "
    "! video/x-h264,profile=high ! h264parse",
    "h264-444": "videoconvert ! video/x-raw,format=Y444 ! x264enc speed-preset=ultrafast key-int-max={gop} "
    "! h264parse",
    "h265": "x265enc speed-preset=ultrafast bitrate=1500 key-int-max={gop} "
    'option-string="bframes={bframes}:b-adapt=0:log-level=none" ! h265parse',
    "mpeg4": "avenc_mpeg4 bitrate=1500000 gop-size={gop} max-bframes={bframes}",
    "vp8": "vp8enc deadline=1",
    "jpeg": "jpegenc",
}

_MUXERS = {
    ".mp4": "! mp4mux",
    ".mkv": "! matroskamux",
    ".h264": "! h264parse ! video/x-h264,stream-format=byte-stream",
    ".ts": "! mpegtsmux",
}


def numbered_picture(number: int, width: int, height: int) -> np.ndarray:
    """Grey, moving, with the number as a row of black and white blocks across the middle."""
    picture = np.full((height, width, 3), 90, np.uint8)
    x = number * 7 % (width - 40)
    picture[: height // 5, x : x + 40] = (40, 160, 220)
    block, top = width // _BITS, height // 2
    for bit in range(_BITS):
        color = 235 if number >> bit & 1 else 16
        picture[top : top + height // 4, bit * block : (bit + 1) * block] = color
    return picture


def number_of(picture: np.ndarray) -> int:
    """The number that a (scaled, compressed) numbered picture carries."""
    height, width = picture.shape[:2]
    row = picture[round(height * 0.6), :, 1]
    values = [int(row[round((bit + 0.5) * width / _BITS)]) for bit in range(_BITS)]
    assert all(value < 70 or value > 180 for value in values), f"unreadable picture: {values}"
    return sum(1 << bit for bit, value in enumerate(values) if value > 125)


def number_of_jpeg(jpeg: bytes) -> int:
    return number_of(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR))


def make_clip(
    path: Path,
    codec: str = "h264",
    frames: int = 250,
    fps: float = 25,
    size: tuple[int, int] = (640, 360),
    gop: int = 25,
    bframes: int = 0,
    times_s: Sequence[float] | None = None,
) -> Path:
    """A clip of numbered pictures; the file's suffix chooses its container (.mp4, .mkv, or bare .h264)."""
    width, height = size
    rate = Fraction(fps).limit_denominator(1001)
    raw = (
        f"video/x-raw,format=BGR,width={width},height={height},framerate={rate.numerator}/{rate.denominator}"
    )
    encode = _ENCODERS[codec].format(gop=gop, bframes=bframes)
    pictures = []
    for number in range(frames):
        padded = np.zeros((height, (width * 3 + 3) // 4 * 4), np.uint8)
        padded[:, : width * 3] = numbered_picture(number, width, height).reshape(height, -1)
        pts = round((times_s[number] if times_s is not None else number / fps) * Gst.SECOND)
        pictures.append((padded.tobytes(), pts))
    if codec == "mpeg4":
        # This encoder gives no usable times: they are put on behind it.
        encoded = _run(raw, f"videoconvert ! {encode} ! appsink name=out sync=false", pictures)
        caps = encoded[0].get_caps().to_string()
        pictures = [
            (sample.get_buffer().extract_dup(0, sample.get_buffer().get_size()), pts)
            for sample, (_, pts) in zip(encoded, pictures, strict=True)
        ]
        raw, encode = caps, "mpeg4videoparse"
    else:
        encode = f"videoconvert ! video/x-raw,format=I420 ! {encode}"
    _run(raw, f"{encode} {_MUXERS[path.suffix]} ! filesink location={path}", pictures)
    return path


def make_clip_of_two_sizes(path: Path, frames: int = 25) -> Path:
    """A stream (.ts) of some frames in 640x360 and twice as many in 960x540, numbered anew from 0."""
    line = "videoconvert ! " + _ENCODERS["h264"].format(gop=25, bframes=0)
    line += " ! video/x-h264,stream-format=byte-stream ! appsink name=out"
    units = []
    for width, height, count in ((640, 360, frames), (960, 540, 2 * frames)):
        times = [n * Gst.SECOND // 25 for n in range(count)]
        pictures = [(numbered_picture(n, width, height).tobytes(), pts) for n, pts in enumerate(times)]
        units += _run(_raw(width, height, "25/1"), line, pictures)
    buffers = [sample.get_buffer() for sample in units]
    timed = [(each.extract_dup(0, each.get_size()), n * Gst.SECOND // 25) for n, each in enumerate(buffers)]
    caps = "video/x-h264,stream-format=byte-stream,alignment=au"
    _run(caps, f"h264parse ! mpegtsmux ! filesink location={path}", timed)
    return path


def _raw(width: int, height: int, rate: str) -> str:
    return f"video/x-raw,format=BGR,width={width},height={height},framerate={rate}"


def _run(caps: str, line: str, buffers: Sequence[tuple[bytes, int]]) -> list[Any]:
    """Push the buffers through a pipeline to its end; the samples of its appsink `out`, if it has one."""
    pipeline = Gst.parse_launch(f"appsrc name=feed ! {line}")
    feed, out = pipeline.get_by_name("feed"), pipeline.get_by_name("out")
    feed.set_property("format", Gst.Format.TIME)
    feed.set_property("max-bytes", 0)
    feed.set_property("caps", Gst.Caps.from_string(caps))
    pipeline.set_state(Gst.State.PLAYING)
    for data, pts in buffers:
        buffer = Gst.Buffer.new_wrapped(data)
        buffer.pts = pts
        feed.emit("push-buffer", buffer)
    feed.emit("end-of-stream")
    samples = []
    while out is not None and (sample := out.emit("try-pull-sample", 20 * Gst.SECOND)) is not None:
        samples.append(sample)
    ends = Gst.MessageType.EOS | Gst.MessageType.ERROR
    message = pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, ends)
    pipeline.set_state(Gst.State.NULL)
    assert message is not None
    assert message.type == Gst.MessageType.EOS, message.parse_error()
    return samples


def read_clip(path: Path) -> list[tuple[int, float]]:
    """(number, seconds) of every picture as an independent decoder (FFmpeg in OpenCV) shows it."""
    capture = cv2.VideoCapture(str(path))
    shown = []
    while True:
        good, picture = capture.read()
        if not good:
            capture.release()
            return shown
        shown.append((number_of(picture), capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3))
