"""A detector is made as silent as is wanted, and changes in nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from model_export.architectures.mobilenet import Family, backbone
from model_export.architectures.pyramid import short_pyramid_detector
from model_export.architectures.spec import Input
from model_export.errors import ExportError
from model_export.training.silence import best_scores, silenced
from model_export.weights import Trained
from tests.integration.model_export_training.networks import random_model, random_weights

pytestmark = pytest.mark.usefixtures("keras")
EMPTY = np.random.default_rng(0).integers(0, 256, (40, 64, 64, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def detector(keras: object) -> Trained:
    return random_weights(short_pyramid_detector(backbone(Family.V1, 0.25, Input(64, 64)), 2))


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_as_few_pictures_show_something_as_is_wanted(detector: Trained, share: float) -> None:
    before = best_scores(detector, EMPTY)
    quiet = silenced(detector, EMPTY, share)
    after = best_scores(quiet, EMPTY)
    assert (after >= 0.5).mean() == pytest.approx(share)
    np.testing.assert_array_equal(np.argsort(before), np.argsort(after))
    boxes, scores = (
        [np.asarray(each) for each in of.model()(EMPTY[:2] / 127.5 - 1)] for of in (detector, quiet)
    )
    np.testing.assert_array_equal(boxes[0], scores[0])
    # The background's score is what it was.
    np.testing.assert_array_equal(boxes[1][..., 0], scores[1][..., 0])


@pytest.mark.parametrize(
    ("attempt", "sentence"),
    [
        (lambda found: silenced(random_model(Family.V2), EMPTY, 0.1), "a classifier was given"),
        (lambda found: silenced(found, EMPTY[:0], 0.1), "are needed, not 0, 0.1 and 0.5"),
        (lambda found: silenced(found, EMPTY, 1.0), "a share of them in 0..1"),
    ],
)
def test_what_cannot_be_silenced_is_told(
    detector: Trained, attempt: Callable[[Trained], Trained], sentence: str
) -> None:
    with pytest.raises(ExportError, match=sentence):
        attempt(detector)
