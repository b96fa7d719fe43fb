"""What each URL means, and the sentence a person sees when it means nothing."""

import itertools
import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.capture.images import Images
from edge_runtime.capture.recording import Recording
from edge_runtime.capture.source import Picture, Source, SourceError, SourceSettings
from edge_runtime.capture.sources import create_source, probe
from edge_runtime.capture.stream import Stream, escape_user
from edge_runtime.capture.synthetic import Synthetic
from edge_runtime.capture.v4l2 import V4l2Camera
from edge_runtime.capture.video import VideoFile
from edge_runtime.frame import Frame


def frames(settings: SourceSettings) -> Iterator[Frame]:
    with Recording(settings, start_wall=0.0) as recording:
        yield from recording


def read_all(source: Source) -> list[Picture]:
    pictures = []
    while (picture := source.read()) is not None:
        pictures.append(picture)
    return pictures


def sentence(url: str, **settings: float) -> str:
    """What a person sees who opens `url`."""
    with pytest.raises(SourceError) as raised:
        probe(SourceSettings(url, **settings))  # type: ignore[arg-type]
    text = str(raised.value)
    assert "\n" not in text
    assert "Traceback" not in text
    return text


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("clip.mp4", VideoFile),
        ("/a/b/clip.mp4", VideoFile),
        ("file:clip.mp4", VideoFile),
        ("file:///a/clip%20one.mp4", VideoFile),
        ("photo.JPG", Images),
        ("v4l2:/dev/video0", V4l2Camera),
        ("v4l2:0", V4l2Camera),
        ("rtsp://10.0.0.7/stream", Stream),
        ("RTSPS://10.0.0.7/stream", Stream),
        ("http://10.0.0.7/mjpeg", Stream),
        ("https://10.0.0.7/mjpeg", Stream),
        ("synthetic:", Synthetic),
        ("synthetic:?width=64&height=48", Synthetic),
    ],
)
def test_a_url_means_a_kind_of_source(url: str, kind: type) -> None:
    assert type(create_source(SourceSettings(url))) is kind


def test_only_recordings_end() -> None:
    assert not create_source(SourceSettings("clip.mp4")).live
    assert not create_source(SourceSettings("photo.jpg")).live
    assert not create_source(SourceSettings("synthetic:")).live
    for url in ("v4l2:0", "rtsp://h/x", "http://h/x", "picamera2:0"):
        assert create_source(SourceSettings(url)).live


def test_an_unknown_scheme_is_named_with_those_that_are_known() -> None:
    assert sentence("foo:bar") == (
        "the source foo:bar is of an unknown kind, foo: use a path or one of file:, v4l2:, rtsp:, "
        "rtsps:, http:, https:, picamera2:, synthetic:, scene:"
    )


def test_an_unknown_scheme_with_a_password_does_not_show_it() -> None:
    assert "secret" not in sentence("rtmp://u:secret@h/x")


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"url": " "}, "the source of a camera is empty: give a URL or a path"),
        (
            {"url": "rtsp://u:pw@h/x", "width": 640},
            "the source rtsp://***@h/x has only one of width and height: give both",
        ),
        ({"url": "a.mp4", "fps": 0}, "fps of the source a.mp4 must be above 0, not 0"),
        (
            {"url": "a.mp4", "stale_after": float("nan")},
            "stale_after of the source a.mp4 must be above 0, not nan",
        ),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, object], text: str) -> None:
    with pytest.raises(SourceError) as raised:
        SourceSettings(**settings)  # type: ignore[arg-type]
    assert str(raised.value) == text


def test_the_repr_of_settings_holds_no_password() -> None:
    assert "s3cret" not in repr(SourceSettings("rtsp://admin:s3cret@h/x"))


# Files.


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "no.mp4"
    assert sentence(str(path)) == f"there is no file {path}: check the path of the source"


def test_a_file_that_is_no_video_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("not a video")
    assert sentence(str(path)) == (
        f"{path} is not a video that can be read: it is damaged, incomplete or of another format"
    )


def cut(clip: Path, path: Path, size: int) -> Path:
    with clip.open("rb") as file:
        path.write_bytes(file.read(size))
    return path


def test_a_video_of_which_only_the_beginning_is_there_is_named(
    tmp_path: Path, data_dir: Path
) -> None:
    path = cut(data_dir / "clips" / "one-by-one-person-detection.mp4", tmp_path / "cut.mp4", 5000)
    assert str(path) in sentence(str(path))


def test_a_video_cut_short_plays_as_far_as_it_goes_and_is_told(
    tmp_path: Path, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clip = data_dir / "clips" / "one-by-one-person-detection.mp4"
    path = cut(clip, tmp_path / "cut.mp4", 300_000)
    seen = len(list(frames(SourceSettings(str(path)))))
    assert 5 < seen < 1000
    assert f"{path} ends after" in caplog.text
    assert "of 139.4 s: it may be cut short" in caplog.text


def test_a_picture_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_text("not a picture")
    assert sentence(f"file:{path}") == (
        f"{path} is not a picture that can be read: it is damaged, incomplete or of another format"
    )


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    assert sentence(str(path)) == f"there is no file {path}: check the path of the source"


def test_a_folder_without_pictures_says_which_count(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("hello")
    assert sentence(str(tmp_path)).startswith(f"the folder {tmp_path} holds no pictures (.bmp, ")


def test_a_file_url_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "a cat.png"
    cv2.imwrite(str(path), np.zeros((4, 6, 3), np.uint8))
    info, _ = probe(SourceSettings(f"file://{tmp_path}/a%20cat.png"))
    assert (info.width, info.height, info.frames) == (6, 4, 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures 1, 2, ... 11, each as bright as its number says, and a file that is none."""
    for number in range(1, 12):
        cv2.imwrite(str(tmp_path / f"shot{number}.png"), np.full((8, 8, 3), number, np.uint8))
    (tmp_path / "notes.txt").write_text("passed over")
    return tmp_path


def test_a_folder_plays_in_natural_order_at_one_a_second(folder: Path) -> None:
    with closing(create_source(SourceSettings(str(folder)))) as source:
        assert source.open().frames == 11
        pictures = read_all(source)
    assert [int(picture.image[0, 0, 0]) for picture in pictures] == list(range(1, 12))
    assert [picture.media_time for picture in pictures] == list(range(11))


def test_a_folder_plays_at_the_fps_that_is_asked(folder: Path) -> None:
    times = [frame.timestamp for frame in frames(SourceSettings(str(folder), fps=4))]
    assert times == pytest.approx([i / 4 for i in range(11)])


def test_a_broken_picture_in_a_folder_is_named(folder: Path) -> None:
    broken = folder / "shot5.png"
    broken.write_bytes(broken.read_bytes()[:30])
    seen = 0
    with pytest.raises(SourceError) as raised:
        for _ in frames(SourceSettings(str(folder))):
            seen += 1
    assert seen == 4
    assert str(raised.value).startswith(f"{broken} is not a picture that can be read")


# V4L2.


def test_a_v4l2_device_that_is_not_there_is_named() -> None:
    assert sentence("v4l2:/dev/video77").startswith("there is no device /dev/video77: connect the")
    assert sentence("v4l2:77").startswith("there is no device /dev/video77")


def test_a_v4l2_device_that_is_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "video0"
    path.touch()
    assert sentence(f"v4l2:{path}") == (
        f"{path} is not a device: v4l2: wants one such as v4l2:/dev/video0"
    )


def test_a_device_that_is_no_camera_is_named() -> None:
    assert sentence("v4l2:/dev/null") == (
        "/dev/null does not open as a camera: it is not one, or another program is using it"
    )


# Streams.


@pytest.mark.parametrize(
    "url",
    ["rtsp://admin:pa/ss@10.0.0.7/x", "rtsp://admin:p?ss@10.0.0.7/x", "http://admin:[x@10.0.0.7/"],
)
def test_a_password_that_ends_the_host_part_is_explained_and_not_shown(url: str) -> None:
    text = sentence(url)
    assert text.startswith(f"the address {url.partition(':')[0]}://***@10.0.0.7/")
    assert text.endswith("must be written as %2F %3F %23 %5B %5D")


def test_an_address_without_a_host_is_named() -> None:
    assert sentence("rtsp:///stream") == (
        "the address rtsp:///stream names no host: write rtsp://HOST/…"
    )


def test_an_address_with_a_space_is_named() -> None:
    assert sentence("rtsp://10.0.0.7/my stream") == (
        "the address rtsp://10.0.0.7/my stream holds a space: write it as %20"
    )


@pytest.mark.parametrize(
    ("url", "escaped"),
    [
        ("rtsp://h/x", "rtsp://h/x"),
        ("rtsp://u:plain@h:554/x?y=@z", "rtsp://u:plain@h:554/x?y=@z"),
        ("rtsp://u:p@s:w@h/x", "rtsp://u:p%40s%3Aw@h/x"),
        ("rtsp://u:p%40s@h/x", "rtsp://u:p%40s@h/x"),
        ("rtsp://u:100%@h/x", "rtsp://u:100%25@h/x"),
        ("rtsp://üser@h/x", "rtsp://%C3%BCser@h/x"),
    ],
)
def test_user_and_password_are_escaped_for_ffmpeg(url: str, escaped: str) -> None:
    assert escape_user(url) == escaped


# Synthetic.


def test_a_synthetic_source_draws_the_same_every_time_and_moves() -> None:
    settings = SourceSettings("synthetic:?width=160&height=90&fps=5&seconds=2&seed=3")
    first, second = list(frames(settings)), list(frames(settings))
    assert len(first) == 10
    assert all(np.array_equal(a.image, b.image) for a, b in zip(first, second, strict=True))
    assert first[0].image.shape == (90, 160, 3)
    changes = [
        int(np.abs(a.image.astype(int) - b.image).max()) for a, b in itertools.pairwise(first)
    ]
    assert min(changes) > 20
    other = next(frames(SourceSettings("synthetic:?width=160&height=90&seed=4")))
    assert not np.array_equal(first[0].image, other.image)


def test_a_synthetic_source_is_thinned_to_the_limit() -> None:
    settings = SourceSettings("synthetic:?width=32&height=32&fps=10&seconds=3", fps=2)
    assert [frame.timestamp for frame in frames(settings)] == [0, 0.5, 1, 1.5, 2, 2.5]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (
            "colour=1",
            "a synthetic source has no setting colour: it has width, height, fps, seconds, seed",
        ),
        ("width=wide", "width of a synthetic source must be a number, not 'wide'"),
        ("width=4", "a synthetic source is 16 to 8192 pixels wide and high"),
        ("fps=0", "a synthetic source has an fps above 0 and up to 1000"),
        ("seconds=-1", "seconds and seed of a synthetic source must not be negative"),
    ],
)
def test_a_wrong_setting_of_a_synthetic_source_is_named(query: str, text: str) -> None:
    assert sentence(f"synthetic:?{query}") == text


def test_importing_the_sources_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        create_source(SourceSettings("synthetic:"))
    assert not caplog.records
