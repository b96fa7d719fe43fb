"""What comes out of a camera's encoder: real H.264, as the decoder gives it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import av
import cv2
import numpy as np

from edge_runtime.frame import Image
from tests.scenes.truth import Frames, Made, Scene

RATE = 10


def h264(
    frames: Frames, *, kbits: int | None = 200, quality: int = 23, key_frames: int = 2 * RATE
) -> Iterator[tuple[float, Image]]:
    """`frames` after libx264 and its decoder.

    Args:
        frames: of an even width and height.
        kbits: how many kbit a second the encoder may use, and uses (as for 10 frames a second);
            None: as many as `quality` takes.
        quality: libx264's rate factor where `kbits` is None; more is worse.
        key_frames: one comes after so many frames.
    """
    packed = io.BytesIO()
    times = []
    with av.open(packed, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.pix_fmt = "yuv420p"
        rate = {"crf": str(quality)}
        if kbits is not None:
            rate = {"b": f"{kbits}k", "maxrate": f"{kbits}k", "bufsize": f"{kbits}k"}
        stream.options = {"preset": "veryfast", "tune": "zerolatency", **rate}
        stream.gop_size = key_frames
        for now, image in frames:
            if not times:
                stream.height, stream.width = image.shape[:2]
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24")
            container.mux(stream.encode(picture))
            times.append(now)
        container.mux(stream.encode(None))
    packed.seek(0)
    with av.open(packed) as container:
        for now, decoded in zip(times, container.decode(video=0), strict=True):
            yield now, np.asarray(decoded.to_ndarray(format="bgr24"), np.uint8)


def then(scene: Scene, film: Callable[[Frames], Frames]) -> Scene:
    """The scene as `film` takes it: what is done before the encoder."""

    def filmed(frames: Frames) -> Made:
        changed, truths = scene(frames)
        return film(changed), truths

    return filmed


def clock(frames: Frames) -> Iterator[tuple[float, Image]]:
    """The date and a running clock are written into the upper left corner."""
    for now, image in frames:
        result = image.copy()
        size = image.shape[1] / 1400
        seconds = int(now)
        text = f"2026-11-25 02:{seconds // 60:02}:{seconds % 60:02}"
        place = (round(0.02 * image.shape[1]), round(0.07 * image.shape[0]))
        cv2.putText(result, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(result, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, (255,) * 3, 1, cv2.LINE_AA)
        yield now, result
