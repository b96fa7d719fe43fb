r"""Trains the person detector that ships, from a published one and pictures with boxes.

    python examples/recipes/person_training.py DATA OUT

DATA is a folder with

    images/person_boxes/annotations.json    boxes, and beside it the pictures, or tars of them
    models/ssd_mobilenet_v1_coco_quant_300.tflite
    labels/coco_labels.txt

The network begins with the backbone of the published detector, which it is taught to agree with.
That one also sees persons that have no box, and things and animals beside persons: parts of
pictures around them are trained on as pictures of nobody. OUT gets what each step made (seen.json,
whole.npz, pupil.npz, again.npz; what is there already is not made anew) and in the end person.npz,
which belongs beside the recipe person.toml. docs/models/training.md says more.
"""

import argparse
import os
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inference.model import ModelSettings
from model_export import weights
from model_export.architectures.from_tflite import ssd_backbone
from model_export.architectures.pyramid import of_side, short_pyramid_detector
from model_export.architectures.spec import Detector, Input
from model_export.datasets import sightings
from model_export.datasets.coco import BoxedPictures, read_coco
from model_export.datasets.samples import LabelledPictures, Sample
from model_export.datasets.sightings import Sightings
from model_export.datasets.things import things
from model_export.datasets.unboxed import with_crowds
from model_export.errors import ExportError
from model_export.pruning.structured import Importance, best, channel_scores, keep
from model_export.training.boxes import load_scenes, nobody, scaler
from model_export.training.classification import Precision
from model_export.training.devices import has_accelerator
from model_export.training.loop import Epoch
from model_export.training.pictures import as_input, load_pictures
from model_export.training.silence import silenced
from model_export.training.starting import untrained, with_layers_of
from model_export.training.statistics import unfolded
from model_export.weights import Trained

try:
    from model_export.training.accelerated import train_on_accelerator
    from model_export.training.accelerated_plan import AcceleratedPlan
    from model_export.training.views import UNCHANGED, Views
    from model_export.training.witness import read_witness
except ModuleNotFoundError as error:
    if error.name != "jax":
        raise
    sys.exit("person_training: jax is not installed: pip install 'edge-runtime[export,jax]'")

SIDE, SHIPPED = 288, 256
"""Pixels of a side that the network sees in training, and those that what ships sees: faster, and
trained as if closer."""

KEPT = 320
"""Pixels of a side that pictures are kept with: a view can be a part of one."""

VIEWS = Views(
    mixing=0.4,
    empty=0.3,
    covered=(0.2, 0.2),
    closing=0.2,
    zoom=(0.55, 2.2),
    coarse=(0.5, 56),
    light=0.8,
    grey=0.18,
    noise=(0.3, 0.06),
    hidden=0.12,
)
WHOLE = AcceleratedPlan(
    50, 1e-3, views=VIEWS, presence=1.0, witness=1.0, backbone=0.2, decay=0.03, seed=1
)
PUPIL = AcceleratedPlan(
    150, 1e-3, views=VIEWS, teaching=0.5, presence=1.0, witness=1.0, backbone=0.5, seed=2
)
AGAIN = replace(PUPIL, epochs=300, learning_rate=7e-4, presence=0.4, witness=2.5, backbone=0.7)

CHANNELS = {f"block{number:02}": 320 for number in range(6, 14)}
"""What the pupil has; the whole network has 384 in blocks 6 to 11 and 768 in the last two."""

OF_A_KIND = 200
"""Parts of pictures around things of one kind, at most: there are many more chairs than dogs."""

EMPTY = "scene15-negative"
"""The origin of pictures without persons, which are not trained on."""

FALSE_ALARMS = 0.004
"""The share of those that may show one at a threshold of 0.5. Asked is 1%: quantizing moves scores,
and other pictures are harder than these."""

EXCLUDED = Path(__file__).with_name("person-excluded.txt")


@dataclass(frozen=True, slots=True)
class Scale:
    """In earnest, or as a trial.

    Attributes:
        side, shipped: pixels of the network's picture, as above.
        pictures: of each kind, at most.
        plan: what becomes of a stage's plan.
    """

    side: int
    shipped: int
    pictures: int | None
    plan: Callable[[AcceleratedPlan], AcceleratedPlan]


IN_EARNEST = Scale(SIDE, SHIPPED, None, lambda plan: plan)
TRIAL = Scale(
    96,
    64,
    16,
    lambda plan: replace(plan, epochs=1, batch=8, views=UNCHANGED, precision=Precision.FLOAT32),
)


@dataclass(frozen=True, slots=True)
class Data:
    """What is trained on, what progress is measured with, and what has no persons."""

    train: BoxedPictures
    validation: BoxedPictures
    empty: BoxedPictures


def main() -> None:
    """Train, and keep what was trained."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Example: python examples/recipes/person_training.py data/ build/person-training",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument(
        "--trial",
        action="store_true",
        help="all of it with a few small pictures, on any machine: the outcome is good for nothing",
    )
    arguments = parser.parse_args()
    os.environ.setdefault("KERAS_BACKEND", "jax")
    if not (arguments.trial or has_accelerator()):
        raise ExportError(
            "JAX has no GPU here, and without one this takes weeks: install 'jax[cuda13]' on a "
            "machine that has one, or go through it with --trial"
        )
    arguments.out.mkdir(parents=True, exist_ok=True)
    train(arguments.data, arguments.out, TRIAL if arguments.trial else IN_EARNEST)


def train(folder: Path, out: Path, scale: Scale) -> None:
    """All stages; `out` gets the outcome of each."""
    published = folder / "models" / "ssd_mobilenet_v1_coco_quant_300.tflite"
    data = read(folder / "images" / "person_boxes", out, scale.pictures)
    seen = sighted(data.train, published, folder / "labels" / "coco_labels.txt", out / "seen.json")
    boxed = with_crowds(data.train, seen)
    beside = things(boxed, seen, OF_A_KIND, seed=0)
    kinds = len({thing.label for thing in beside})
    say(f"persons at {boxes(boxed) - boxes(data.train)} places without a box, which do not count")
    say(f"{len(beside)} parts of pictures with a thing, of {kinds} kinds, and nobody")
    start = started(published, data.train, scale.side)
    kept = replace(start.network.backbone.input, height=KEPT, width=KEPT)
    scenes, validation = load_scenes(boxed, kept), load_scenes(data.validation, kept)
    fit = scaler(kept)
    scenes = replace(
        scenes, scenes=(*scenes.scenes, *(nobody(fit(thing.read())) for thing in beside))
    )
    witness = read_witness(published)

    def stage(
        name: str, start: Trained, plan: AcceleratedPlan, teacher: Trained | None = None
    ) -> Trained:
        path, plan = out / f"{name}.npz", scale.plan(plan)
        if path.exists():
            say(f"{name}: {path} is there")
            return weights.load(path)
        say(f"{name}: {plan.epochs} epochs with {len(scenes)} pictures; it is compiled first")
        outcome = train_on_accelerator(
            *(start, scenes, validation, plan, tell),
            teacher=teacher,
            witness=witness,
            checkpoint=lambda done: weights.save(out / f"{name}-so-far.npz", done),
        )
        weights.save(path, outcome.trained)
        return outcome.trained

    whole = stage("whole", start, WHOLE)
    scores = channel_scores(whole, Importance.SCALE)
    cut = keep(whole, {group: best(scores[group], count) for group, count in CHANNELS.items()})
    pupil = stage("pupil", cut, PUPIL, whole)
    pupil = stage("again", pupil, AGAIN, whole)
    assert isinstance(pupil.network, Detector)
    smaller = of_side(pupil.network, scale.shipped)
    empty = pixels(data.empty, smaller.backbone.input)
    person = silenced(Trained(smaller, pupil.weights), empty, FALSE_ALARMS)
    weights.save(out / "person.npz", person)
    say(f"{out / 'person.npz'} is written")


def sighted(data: BoxedPictures, published: Path, labels: Path, kept: Path) -> Sightings:
    """What the published detector sees in the pictures."""
    if kept.exists():
        say(f"{kept} is there")
        return sightings.load(kept)
    say(f"what does {published.stem} see in {len(data)} pictures?")
    settings = ModelSettings(published, labels, "cpu", os.cpu_count() or 1)
    seen = sightings.look(data, settings)
    sightings.save(kept, seen)
    return seen


def read(folder: Path, out: Path, most: int | None) -> Data:
    """The pictures in their parts; those in tars are unpacked into `out`."""
    pictures = folder
    for number, path in enumerate(sorted(folder.glob("*.tar"))):
        pictures = out / "pictures"
        with tarfile.open(path) as tar:
            tar.extractall(pictures, filter="data")
        say(f"{path.name} is unpacked" + ("" if number else f" into {pictures}"))
    data = read_coco(folder / "annotations.json", pictures)
    excluded = frozenset(EXCLUDED.read_text(encoding="utf-8").split())
    kinds = (
        data.where(lambda found: found.split == "train" and found.path.name not in excluded),
        data.where(lambda found: found.split == "val"),
        data.where(lambda found: found.origin == EMPTY),
    )
    return Data(*(replace(kind, pictures=kind.pictures[:most]) for kind in kinds))


def boxes(data: BoxedPictures) -> int:
    """How many there are, crowds included."""
    return sum(len(picture.boxes) for picture in data.pictures)


def started(published: Path, data: BoxedPictures, side: int) -> Trained:
    """The published backbone with a pyramid; what looks for boxes has learned nothing yet."""
    features, known = ssd_backbone(published)
    given = Input(side, side, pixel_range=features.input.pixel_range)
    network = short_pyramid_detector(replace(features, input=given), len(data.classes))
    start = with_layers_of(untrained(network, seed=0), known)
    some = data.at(np.linspace(0, len(data) - 1, min(64, len(data))))
    return unfolded(start, as_input(pixels(some, given), given))


def pixels(data: BoxedPictures, given: Input) -> NDArray[np.uint8]:
    """N x height x width x channels."""
    samples = tuple(Sample(picture.path, 0) for picture in data.pictures)
    return load_pictures(LabelledPictures(("picture",), samples), given).pixels


def tell(epoch: Epoch) -> None:
    """Print how far a stage is."""
    found = f"{epoch.validation.accuracy:.1%} of persons found"
    say(f"  epoch {epoch.number}: loss {epoch.loss:.3f}, validation {found}")


def say(what: str) -> None:
    """Print it with the time."""
    print(f"{time.strftime('%H:%M:%S')} {what}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except EdgeRuntimeError as error:
        sys.exit(f"person_training: {error}")
