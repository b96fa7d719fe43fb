"""What outputs mean, for heads that are made up here: each value is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.inference.engine import ModelError, TensorSpec
from edge_runtime.inference.outputs import KINDS, blazeface, classifier, kind_of, ssd, yolo
from edge_runtime.inference.outputs.kind import Candidates, ModelOutputs, Selection
from edge_runtime.inference.tflite_file import DetectionOp, ModelFile


@dataclass
class Head:
    """Outputs as a model would give them; quantized where a scale is given."""

    tensors: Sequence[np.ndarray]
    names: Sequence[str] = ()
    scale: float = 0.0
    zero_point: int = 0
    detection: DetectionOp | None = None
    scores: tuple[bool, ...] = (False,)
    sample: Sequence[np.ndarray] | None = None
    input_size: tuple[int, int] = (192, 96)
    stored: list[np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        self.stored = [self._store(tensor) for tensor in self.tensors]

    def _store(self, real: np.ndarray) -> np.ndarray:
        if not self.scale:
            return real.astype(np.float32)
        return np.clip(np.rint(real / self.scale) + self.zero_point, -128, 127).astype(np.int8)

    @property
    def outputs(self) -> ModelOutputs:
        names = self.names or [f"out{i}" for i in range(len(self.stored))]
        specs = tuple(
            TensorSpec(name, tensor.shape, tensor.dtype, self.scale, self.zero_point)
            for name, tensor in zip(names, self.stored, strict=True)
        )
        file = ModelFile(Path("m.tflite"), "", frozenset(), self.detection, self.scores, "", None)
        sample = tuple(self._store(t) for t in self.sample or self.tensors)
        return ModelOutputs(file, specs, sample, self.input_size)

    def read(self, kind, labels=None, threshold=0.5, most=100, thresholds=None) -> Candidates:
        names = kind.labels(self.outputs, labels)
        least = np.array(thresholds or [threshold] * len(names), np.float32)
        return kind.decoder(self.outputs, names, Selection(least, most))(self.stored)


# --- SSD

BOXES = np.array([[[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8], [0, 0, 1, 1]]])
CLASSES = np.array([[1.0, 0.0, 5.0]])
SCORES = np.array([[0.6, 0.9, 0.8]])
COUNT = np.array([2.0])
THREE = ("a", "b", "c")


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1, 0, 2), (2, 3, 1, 0)])
def test_ssd_outputs_come_in_any_order_when_the_operator_tells_which(order) -> None:
    # The operator itself gives the best first.
    by_role = [BOXES[:, ::-1], CLASSES[:, ::-1], np.array([[0.95, 0.9, 0.6]]), COUNT + 1]
    op = DetectionOp(*(order.index(role) for role in range(4)), class_count=2)
    found = Head([by_role[role] for role in order], detection=op).read(ssd, ("a", "b"))
    assert np.allclose(found.boxes, [[0.6, 0.5, 0.8, 0.7], [0.2, 0.1, 0.4, 0.3]])
    assert np.allclose(found.scores, [0.9, 0.6])
    assert found.class_ids.tolist() == [0, 1], "class 5 has no label"


def test_ssd_outputs_without_the_operator_are_told_by_name() -> None:
    names = ["count", "detection_scores", "detection_classes", "boxes"]
    found = Head([COUNT, SCORES, CLASSES, BOXES], names).read(ssd, THREE)
    assert np.allclose(found.scores, [0.9, 0.6])
    assert found.class_ids.tolist() == [0, 1]


def test_ssd_outputs_without_names_are_told_by_shape() -> None:
    found = Head([CLASSES, COUNT, SCORES, BOXES]).read(ssd, THREE)
    assert np.allclose(found.scores, [0.9, 0.6])


def test_ssd_counts_only_what_the_operator_counts_and_knows_labels_for() -> None:
    head = Head([BOXES, CLASSES, SCORES, np.array([3.0])])
    assert head.read(ssd, THREE).class_ids.tolist() == [0, 1]


def test_ssd_thresholds_are_by_class() -> None:
    head = Head([BOXES, CLASSES, SCORES, COUNT])
    assert head.read(ssd, THREE, thresholds=[0.95, 0.5, 0.5]).class_ids.tolist() == [1]


@pytest.mark.parametrize("background", ["???", "background"])
def test_a_label_for_the_background_is_dropped(background: str) -> None:
    head = Head([BOXES, CLASSES, SCORES, COUNT], detection=DetectionOp(0, 1, 2, 3, 2))
    assert ssd.labels(head.outputs, (background, "person", "car")) == ("person", "car")
    assert ssd.labels(head.outputs, ("person", "car", "bus")) == ("person", "car", "bus")


# --- YOLO

PEOPLE = ("person", "car", "dog")
# In pixels of a 192 x 96 input: two that overlap, one of another class, one too weak.
ROWS = [
    ((96, 48, 40, 20), 0.90, (0.95, 0.02, 0.01)),
    ((98, 48, 40, 20), 0.80, (0.90, 0.02, 0.01)),
    ((96, 48, 40, 20), 0.85, (0.01, 0.80, 0.01)),
    ((30, 20, 10, 10), 0.40, (0.90, 0.01, 0.01)),
]
EXPECTED = np.array([[76, 38, 116, 58]] * 2) / (192, 96, 192, 96)


def v5(anchors: int = 300) -> np.ndarray:
    head = np.zeros((1, anchors, 8))
    head[..., :4] = (100, 50, 300, 200)
    for i, (box, objectness, classes) in enumerate(ROWS):
        head[0, 7 * i] = (*box, objectness, *classes)
    return head


def v8(anchors: int = 300) -> np.ndarray:
    head = v5(anchors)
    combined = np.concatenate((head[..., :4], head[..., 5:] * head[..., 4:5]), axis=2)
    return combined.transpose(0, 2, 1)


def unit(head: np.ndarray, by_anchor: bool) -> np.ndarray:
    size = np.array([192, 96, 192, 96])
    head = head.copy()
    if by_anchor:
        head[..., :4] /= size
    else:
        head[:, :4] /= size[:, None]
    return head


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(Head([v5()]), id="v5 in pixels"),
        pytest.param(Head([unit(v5(), True)]), id="v5 in 0..1"),
        pytest.param(Head([v5().transpose(0, 2, 1)]), id="v5 transposed"),
        pytest.param(Head([v8()]), id="v8 in pixels"),
        pytest.param(Head([unit(v8(), False)]), id="v8 in 0..1"),
        pytest.param(Head([v8().transpose(0, 2, 1)]), id="v8 transposed"),
        pytest.param(Head([unit(v8(), False)], scale=0.008, zero_point=-100), id="v8 int8"),
    ],
)
def test_yolo_heads_of_all_forms_say_the_same(head: Head) -> None:
    found = head.read(yolo, PEOPLE)
    assert found.class_ids.tolist() == [0, 1]
    assert np.allclose(found.boxes, EXPECTED, atol=0.01)
    assert np.allclose(found.scores, [0.855, 0.68], atol=0.01)
    assert found.boxes.dtype == found.scores.dtype == np.float32


def test_yolo_with_a_coarse_step_is_in_pixels_and_percent() -> None:
    head = v5()
    head[..., 4:] *= 100
    found = Head([head], scale=1.6, zero_point=-128).read(yolo, PEOPLE)
    assert found.class_ids.tolist() == [0, 1]
    assert np.allclose(found.scores, [0.855, 0.68], atol=0.03)
    assert np.allclose(found.boxes, EXPECTED, atol=0.02)


def test_yolo_of_one_class_takes_the_objectness_as_the_score() -> None:
    head = v5()[..., :6]
    head[..., 5] = 0
    found = Head([head]).read(yolo, ("person",))
    assert found.scores[0] == np.float32(0.9)
    without = Head([head[..., :5]]).read(yolo, ("person",))
    assert np.array_equal(without.scores, found.scores)


def test_yolo_that_sees_nothing_gives_empty_arrays() -> None:
    found = Head([v5()]).read(yolo, PEOPLE, threshold=0.99)
    assert (found.boxes.shape, found.scores.shape, found.class_ids.shape) == ((0, 4), (0,), (0,))


def test_yolo_thresholds_are_by_class() -> None:
    assert Head([v8()]).read(yolo, PEOPLE, thresholds=[0.9, 0.5, 0.5]).class_ids.tolist() == [1]


def test_yolo_gives_the_best_when_only_one_is_asked_for() -> None:
    assert Head([v5()]).read(yolo, PEOPLE, most=1).class_ids.tolist() == [0]


def test_yolo_says_which_numbers_of_labels_would_be_right() -> None:
    with pytest.raises(ModelError, match="3 classes with objectness or 4 without, and there are 9"):
        Head([v5()]).read(yolo, tuple("abcdefghi"))


# --- BlazeFace


def test_blazeface_boxes_stand_at_their_anchors() -> None:
    rows, logits = np.zeros((1, 896, 16)), np.full((1, 896, 1), -100.0)
    # The second anchor of the cell in column 3, row 2 of the 16 x 16 grid.
    at = (2 * 16 + 3) * 2 + 1
    rows[0, at, :4] = (6.4, -3.2, 12.8, 25.6)
    logits[0, at] = 2
    # A cell of the 8 x 8 grid, which has six anchors a cell: column 7, row 7, the last one.
    logits[0, 895] = 1
    rows[0, 895, 2:4] = 12.8
    for tensors in ([rows, logits], [logits, rows]):
        found = Head(tensors, input_size=(128, 128)).read(blazeface)
        x, y = 3.5 / 16 + 0.05, 2.5 / 16 - 0.025
        assert np.allclose(found.boxes[0], (x - 0.05, y - 0.1, x + 0.05, y + 0.1))
        assert np.allclose(found.boxes[1], (0.8875, 0.8875, 0.9875, 0.9875))
        assert np.allclose(found.scores, 1 / (1 + np.exp([-2.0, -1.0])))


def test_blazeface_brings_its_label_and_takes_another() -> None:
    head = Head([np.zeros((1, 2304, 16)), np.zeros((1, 2304, 1))]).outputs
    assert blazeface.labels(head, None) == ("face",)
    assert blazeface.labels(head, ("Gesicht",)) == ("Gesicht",)


# --- Classifiers


def test_classifier_probabilities_are_taken_as_they_are() -> None:
    found = Head([np.array([[0.1, 0.6, 0.3]])], scores=(True,)).read(classifier, THREE, 0.2)
    assert found.class_ids.tolist() == [1, 2]
    assert np.allclose(found.scores, [0.6, 0.3])
    assert found.boxes.tolist() == [[0, 0, 1, 1]] * 2


def test_classifier_logits_become_probabilities() -> None:
    found = Head([np.array([[1.0, 4.0, 2.0]])]).read(classifier, THREE, 0.01)
    expected = np.exp([4, 2, 1]) / np.exp([4, 2, 1]).sum()
    assert np.allclose(found.scores, expected)
    assert found.class_ids.tolist() == [1, 2, 0]


def test_a_softmax_that_is_made_by_hand_is_known_by_its_sum() -> None:
    head = Head([np.array([[0.1, 0.6, 0.3]])], sample=[np.array([[0.3, 0.3, 0.4]])])
    assert np.allclose(head.read(classifier, THREE, 0.2).scores, [0.6, 0.3])


def test_a_single_logit_goes_through_the_logistic_function() -> None:
    found = Head([np.array([[1.5]])]).read(classifier, ("person",))
    assert np.allclose(found.scores, 1 / (1 + np.exp(-1.5)))


def test_quantized_classifiers_are_read_by_scale_and_zero_point() -> None:
    head = Head([np.array([[0.1, 0.6, 0.3]])], scale=1 / 256, zero_point=-128, scores=(True,))
    assert np.allclose(head.read(classifier, THREE).scores, [0.6], atol=1 / 256)


# --- All


def test_every_kind_is_known_by_its_outputs_and_by_no_others() -> None:
    heads = {
        "ssd": Head([BOXES, CLASSES, SCORES, COUNT]),
        "yolo": Head([v5()]),
        "blazeface": Head([np.zeros((1, 896, 16)), np.zeros((1, 896, 1))]),
        "classifier": Head([np.zeros((1, 10))]),
    }
    assert {kind.NAME for kind in KINDS} == set(heads)
    for name, head in heads.items():
        assert [kind.NAME for kind in KINDS if kind.matches(head.outputs)] == [name]
        assert kind_of(head.outputs).NAME == kind_of(head.outputs, name).NAME == name


@pytest.mark.parametrize("shape", [(1, 20, 20), (1, 17, 3, 1), (4,), (2, 300, 8), (1, 300, 4)])
def test_other_outputs_are_of_no_kind(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="of no known kind: found float32"):
        kind_of(Head([np.zeros(shape)]).outputs)
