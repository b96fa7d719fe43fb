"""A network as a Keras model: the same code for Keras 3, on any of its backends, and tf_keras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from model_export.architectures.channels import (
    block_name,
    feature_maps,
    lateral_name,
    mix_name,
    source_maps,
)
from model_export.architectures.frameworks import keras3
from model_export.architectures.spec import (
    Activation,
    Backbone,
    Block,
    Classifier,
    Conv,
    Detector,
    Network,
    Pyramid,
)
from model_export.errors import ExportError

LOGITS = "logits"
"""The layer of a detector whose sigmoid its scores are."""

EPSILON = 1e-3
"""Added to each variance, as in all published MobileNets."""

_MOMENTUM = 0.97
"""Of the moving statistics. Published networks have 0.99 and 0.999, for trainings of many
thousands of steps; after a hundred such steps the start would still be in them."""


def build(network: Network, keras: Any = None, dtype: str = "float32") -> Any:
    """The network as a Keras model with an open batch.

    A classifier gives probabilities, N x classes. A detector gives boxes N x anchors x 4, coded as
    in `box_coding`, and scores, N x anchors x (1 + classes) in 0..1, each on its own: first that
    of the background.

    Args:
        keras: the module ``keras`` (also where None) or ``tf_keras``.
        dtype: what it computes in: float32, mixed_bfloat16 or mixed_float16. Its weights and what
            comes out are float32 in any case.

    Raises:
        ExportError: Keras is not installed, or tf_keras lacks one of the layers.
    """
    keras = keras or keras3()
    if isinstance(network, Detector):
        return _detector(network, Layers(keras, dtype))
    return _classifier(network, Layers(keras, dtype))


def _classifier(network: Classifier, layers: Layers) -> Any:
    keras = layers.keras
    picture, (features,) = trunk(network.backbone, layers)
    x = layers.make("GlobalAveragePooling2D", name="pool")(features)
    if network.hidden:
        x = layers.make("Dense", network.hidden.channels, name="hidden")(x)
        x = layers.activate(x, network.hidden.activation, "hidden")
    x = layers.make("Dropout", network.dropout, name="dropout")(x)
    x = layers.make("Dense", network.classes, name="classes")(x)
    x = keras.layers.Activation("softmax", name="probabilities", dtype="float32")(x)
    return keras.Model(picture, x, name="classifier")


@dataclass(frozen=True, slots=True)
class Layers:
    """Makes layers of one Keras that compute in one number format."""

    keras: Any
    dtype: str

    def make(self, layer: str, *arguments: Any, **options: Any) -> Any:
        """A layer of that class."""
        policy: Any = self.dtype
        if self.dtype != "float32" and not self.modern:
            policy = self.keras.mixed_precision.Policy(self.dtype)
        return getattr(self.keras.layers, layer)(*arguments, dtype=policy, **options)

    @property
    def modern(self) -> bool:
        """Whether this is Keras 3."""
        return not str(self.keras.__version__).startswith("2")

    def norm(self, x: Any, name: str) -> Any:
        """Batch normalisation behind the layer `name`."""
        layer = self.make(
            "BatchNormalization", epsilon=EPSILON, momentum=_MOMENTUM, name=f"{name}_norm"
        )
        return layer(x)

    def conv(self, x: Any, conv: Conv, name: str) -> Any:
        """A normalised convolution with its activation."""
        x = self.make(
            "Conv2D",
            conv.channels,
            conv.kernel,
            strides=conv.stride,
            padding="same",
            use_bias=False,
            name=name,
        )(x)
        return self.activate(self.norm(x, name), conv.activation, name)

    def depthwise(self, x: Any, kernel: int, stride: int, inner: Activation, name: str) -> Any:
        """A normalised depthwise convolution with its activation."""
        x = self.make(
            "DepthwiseConv2D",
            kernel,
            strides=stride,
            padding="same",
            use_bias=False,
            name=name,
        )(x)
        return self.activate(self.norm(x, name), inner, name)

    def activate(self, x: Any, activation: Activation, name: str) -> Any:
        """The activation behind the layer `name`."""
        match activation:
            case Activation.LINEAR:
                return x
            case Activation.RELU:
                return self.make("ReLU", name=f"{name}_relu")(x)
            case Activation.RELU6:
                return self.make("ReLU", 6.0, name=f"{name}_relu")(x)
            case Activation.HARD_SWISH:
                self.require_modern("hard-swish")
                return self.make("Activation", "hard_swish", name=f"{name}_swish")(x)

    def enlarge(self, x: Any, size: tuple[int, int], name: str) -> Any:
        """A map of twice the size, each value four times.

        On TensorFlow, which writes .tflite files, Keras 3's UpSampling2D becomes many operators of
        five dimensions; its Resizing makes layers behind it train when nobody says whether they
        should. On JAX it is a repetition, whose gradient is a plain sum.
        """
        if self.modern and self.keras.backend.backend() == "tensorflow":
            return self.keras.ops.image.resize(x, size, interpolation="nearest")
        return self.make("UpSampling2D", 2, name=name)(x)

    def require_modern(self, what: str) -> None:
        """Say that tf_keras has no such thing, or another of that name."""
        if not self.modern:
            raise ExportError(
                f"this network has {what}, which tf_keras and TensorFlow's model optimization "
                "do not have: take MobileNetV1, V2 or a minimalistic V3"
            )


def _detector(network: Detector, layers: Layers) -> Any:
    inside = () if network.pyramid else (network.tapped,)
    picture, features = trunk(network.backbone, layers, inside, network.ends[:-1])
    for number, extra in enumerate(network.extras, start=1):
        features.append(_block(features[-1], extra, layers, f"extra{number}")[1])
    if network.pyramid:
        features = _pyramid(network, network.pyramid, features, layers)
    boxes: list[Any] = []
    classes: list[Any] = []
    inner = Activation.RELU6 if network.pyramid else network.backbone.blocks[network.tapped].inner
    for number, (found, x) in enumerate(zip(feature_maps(network), features, strict=True)):
        count = network.anchors.count(number)
        for what, depth, into in (("boxes", 4, boxes), ("classes", network.scores, classes)):
            name = f"{found.name}_{what}"
            y = layers.depthwise(x, 3, 1, inner, f"{name}_depthwise")
            y = layers.make("Conv2D", depth * count, 1, name=name)(y)
            into.append(layers.make("Reshape", (-1, depth), name=f"{name}_rows")(y))
    keras = layers.keras.layers
    coded = keras.Concatenate(axis=1, name="boxes", dtype="float32")(boxes)
    scores = keras.Concatenate(axis=1, name=LOGITS, dtype="float32")(classes)
    scores = keras.Activation("sigmoid", name="scores", dtype="float32")(scores)
    return layers.keras.Model(picture, [coded, scores], name="detector")


def _pyramid(network: Detector, pyramid: Pyramid, features: list[Any], layers: Layers) -> list[Any]:
    """The maps, alike and mixed, the finest first."""
    made: list[Any] = []
    lateral = Conv(pyramid.channels, 1, 1, Activation.LINEAR)
    for found, feature in reversed(list(zip(source_maps(network), features, strict=True))):
        x = layers.conv(feature, lateral, lateral_name(found))
        if made:
            coarse = layers.enlarge(made[0], found.size, f"{found.name}_enlarged")
            x = layers.make("Add", name=f"{found.name}_add")([x, coarse])
        for number in range(pyramid.depth):
            x = _block(x, pyramid.block, layers, mix_name(found, number))[1]
        made.insert(0, x)
    return made


def trunk(
    backbone: Backbone, layers: Layers, inside: Sequence[int] = (), ends: Sequence[int] = ()
) -> tuple[Any, list[Any]]:
    """The picture; what is inside of some blocks and at the end of others, and the features."""
    given = backbone.input
    picture = x = layers.keras.Input((given.height, given.width, given.channels), name="picture")
    if given.scales:
        low, high = given.pixel_range
        x = layers.make("Rescaling", (high - low) / 255, offset=low, name="scaled")(x)
    x = layers.conv(x, backbone.stem, "stem")
    found = []
    for number, block in enumerate(backbone.blocks):
        middle, x = _block(x, block, layers, block_name(number))
        if number in inside:
            found.append(middle)
        if number in ends:
            found.append(x)
    if backbone.last:
        x = layers.conv(x, backbone.last, "last")
    return picture, [*found, x]


def _block(x: Any, block: Block, layers: Layers, name: str) -> tuple[Any, Any]:
    """What the depthwise convolution takes, and what comes out."""
    shortcut = x
    if block.expanded:
        x = layers.conv(x, Conv(block.expanded, 1, 1, block.inner), f"{name}_expand")
    middle = x
    x = layers.depthwise(x, block.kernel, block.stride, block.inner, f"{name}_depthwise")
    if block.squeezed:
        x = _squeeze_and_excite(x, block, layers, name)
    x = layers.conv(x, Conv(block.channels, 1, 1, block.activation), f"{name}_project")
    if block.residual:
        x = layers.make("Add", name=f"{name}_add")([shortcut, x])
    return middle, x


def _squeeze_and_excite(x: Any, block: Block, layers: Layers, name: str) -> Any:
    # tf_keras has another function under the name hard_sigmoid.
    layers.require_modern("squeeze-and-excite")
    y = layers.make("GlobalAveragePooling2D", keepdims=True, name=f"{name}_pool")(x)
    y = layers.make("Conv2D", block.squeezed, 1, name=f"{name}_squeeze")(y)
    y = layers.make("ReLU", name=f"{name}_squeeze_relu")(y)
    y = layers.make("Conv2D", x.shape[-1], 1, name=f"{name}_excite")(y)
    y = layers.make("Activation", "hard_sigmoid", name=f"{name}_gate")(y)
    return layers.make("Multiply", name=f"{name}_excited")([x, y])
