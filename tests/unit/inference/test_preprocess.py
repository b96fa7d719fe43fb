"""The picture's way into the tensor, against the same done slowly."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_runtime.inference.engine import ModelError, TensorSpec
from edge_runtime.inference.preprocess import (
    PADDING,
    Colour,
    Placement,
    Preprocessor,
    Resize,
    pixel_table,
)


def spec(dtype: str, scale: float = 0.0, zero_point: int = 0, shape=(1, 30, 40, 3)) -> TensorSpec:
    return TensorSpec("input", shape, np.dtype(dtype), scale, zero_point)


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (72, 128, 3), np.uint8)


def written(image, tensor: TensorSpec, resize=Resize.STRETCH, colour=Colour.RGB, pixel_range=None):
    """What stands in the tensor's own memory."""
    memory = np.zeros(tensor.shape, tensor.dtype)
    Preprocessor(tensor, resize, colour, pixel_range).write(image, memory[0])
    return memory[0]


def resized(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, (40, 30))


def test_uint8_takes_the_pixels_in_rgb_order(image) -> None:
    assert np.array_equal(written(image, spec("uint8", 1 / 128, 128)), resized(image)[..., ::-1])


def test_bgr_leaves_the_order_as_it_is(image) -> None:
    assert np.array_equal(written(image, spec("uint8"), colour=Colour.BGR), resized(image))


def test_grey_is_one_channel(image) -> None:
    for dtype, shift in (("uint8", 0), ("int8", 128)):
        tensor = spec(dtype, shape=(1, 30, 40, 1))
        grey = cv2.cvtColor(resized(image), cv2.COLOR_BGR2GRAY).astype(int)[..., None]
        assert np.array_equal(written(image, tensor, colour=Colour.GREY), grey - shift)


@pytest.mark.parametrize("pixel_range", [None, (0.0, 1.0)])
def test_int8_over_the_full_range_is_the_pixel_less_128(image, pixel_range) -> None:
    got = written(image, spec("int8", 1 / 255, -128), pixel_range=pixel_range)
    assert np.array_equal(got, resized(image)[..., ::-1].astype(int) - 128)


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_another_quantization_goes_by_scale_and_zero_point(image, dtype: str) -> None:
    least = np.iinfo(dtype).min
    tensor = spec(dtype, 0.02, least + 100)
    got = tensor.real(written(image, tensor, pixel_range=(-1.0, 1.0)))
    real = resized(image)[..., ::-1] / 127.5 - 1
    assert np.abs(got - real).max() <= 0.0101


def test_values_beyond_the_type_are_cut_off() -> None:
    table = pixel_table(spec("int8", 1 / 255, -128), (-1.0, 2.0))
    assert (table[0], table[255]) == (-128, 127)


@pytest.mark.parametrize("colour", [Colour.RGB, Colour.BGR])
def test_float_is_scaled_to_its_range(image, colour) -> None:
    got = written(image, spec("float32"), colour=colour, pixel_range=(-1.0, 1.0))
    pixels = resized(image)[..., ::-1] if colour is Colour.RGB else resized(image)
    assert np.allclose(got, pixels / 127.5 - 1, atol=1e-6)


def test_float_without_a_range_is_one_sentence() -> None:
    with pytest.raises(ModelError, match=r"set range = \[-1, 1\] or range = \[0, 1\]"):
        Preprocessor(spec("float32"), Resize.STRETCH, Colour.RGB, None)


def test_letterbox_keeps_the_proportions_and_is_grey_around(image) -> None:
    got = written(image, spec("uint8"), Resize.LETTERBOX, Colour.BGR)
    inner = cv2.resize(image, (40, 22))  # 128 x 72 into 40 x 30
    assert np.array_equal(got[4:26], inner)
    assert np.all(got[:4] == PADDING)
    assert np.all(got[26:] == PADDING)


def test_a_picture_of_another_size_leaves_nothing_of_the_last_one(image) -> None:
    tensor = spec("uint8")
    preprocessor = Preprocessor(tensor, Resize.LETTERBOX, Colour.RGB, None)
    memory = np.zeros(tensor.shape, np.uint8)
    tall = np.ascontiguousarray(image.transpose(1, 0, 2))
    for picture in (image, tall, image):
        preprocessor.write(picture, memory[0])
        assert np.array_equal(memory[0], written(picture, tensor, Resize.LETTERBOX))


def test_a_part_of_a_larger_picture_can_be_written(image) -> None:
    part = image[10:60, 20:100]
    assert np.array_equal(written(part, spec("uint8")), resized(part.copy())[..., ::-1])


def test_the_picture_itself_is_not_written_into(image) -> None:
    before = image.copy()
    for dtype, pixel_range in (("uint8", None), ("int8", None), ("float32", (0.0, 1.0))):
        written(image, spec(dtype), Resize.LETTERBOX, pixel_range=pixel_range)
    assert np.array_equal(image, before)


@pytest.mark.parametrize("resize", list(Resize))
@pytest.mark.parametrize("picture", [(768, 432), (432, 768), (300, 300), (7, 1000)])
def test_boxes_come_back_to_where_they_were(resize: Resize, picture: tuple[int, int]) -> None:
    placement = Placement.of(picture, (300, 300), resize)
    x, y, w, h = placement.inner
    whole = np.array([[x / 300, y / 300, (x + w) / 300, (y + h) / 300]], np.float32)
    assert np.allclose(placement.to_picture(whole), [[0, 0, *picture]], atol=1e-2)
    middle = np.array([[0.5, 0.5, 0.5, 0.5]], np.float32)
    expected = [picture[0] / 2, picture[1] / 2] * 2
    # A letterbox with an odd margin is half a pixel of the tensor off.
    tolerance = 0.5 * max(picture) / min(w, h)
    assert np.allclose(placement.to_picture(middle), expected, atol=max(tolerance, 1e-2))


def test_boxes_are_cut_off_at_the_borders() -> None:
    placement = Placement.of((200, 100), (300, 300), Resize.LETTERBOX)
    boxes = np.array([[-1, 0, 2, 1]], np.float32)
    assert placement.to_picture(boxes).tolist() == [[0, 0, 200, 100]]
    assert boxes.tolist() == [[-1, 0, 2, 1]]
