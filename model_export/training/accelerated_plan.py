"""How a detector is trained on an accelerator."""

from __future__ import annotations

from dataclasses import dataclass

from model_export.errors import ExportError
from model_export.training.classification import Precision
from model_export.training.views import CAMERAS, Views


@dataclass(frozen=True, slots=True)
class AcceleratedPlan:
    """How a detector is trained on an accelerator.

    Attributes:
        epochs: passes over the pictures.
        learning_rate: the highest of AdamW: it rises to that in the first twentieth of the steps
            and falls to a fiftieth as a cosine.
        batch: pictures a step; a multiple of the number of accelerators.
        objects: at most so many a picture, the largest.
        views: how far pictures are changed.
        teaching: how much a teacher counts, 0..1; the labels have the rest.
        presence: how much it counts whether a picture's best score tells if it has an object,
            beside labels and teacher.
        witness: likewise, whether it is the best score of a witness; 0: none is asked.
        backbone: the learning rate of the backbone's layers, as a share of the others'.
        decay: of kernels, as a share a step of the learning rate.
        every: after so many epochs, validation.
        precision: what the network computes in.
        seed: decides the order and what happens to pictures.
    """

    epochs: int
    learning_rate: float = 1e-3
    batch: int = 128
    objects: int = 32
    views: Views = CAMERAS
    teaching: float = 0.6
    presence: float = 0.0
    witness: float = 0.0
    backbone: float = 1.0
    decay: float = 0.02
    every: int = 10
    precision: Precision = Precision.BFLOAT16
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.epochs, self.objects, self.every) < 1 or self.batch < 2:
            raise ExportError(
                "training takes at least 1 epoch, 1 object a picture and batches of 2, not "
                f"{self.epochs}, {self.objects} and {self.batch}"
            )
        if not 0 < self.learning_rate <= 1 or not 0 <= self.teaching <= 1:
            raise ExportError(
                "a learning rate is in 0..1 and so is what a teacher counts, not "
                f"{self.learning_rate:g} and {self.teaching:g}"
            )
        if min(self.presence, self.witness) < 0:
            raise ExportError(
                "what a picture's best score and a witness count is 0 or more, not "
                f"{self.presence:g} and {self.witness:g}"
            )
