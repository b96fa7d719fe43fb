"""Recipes: what they say, and the sentence for each thing that is wrong with one."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from edge_runtime.config.errors import ConfigError
from model_export.recipes.reading import load_recipe
from model_export.recipes.recipe import schema

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples" / "recipes").glob("*.toml"))

WHOLE = """
name = "face"
[data]
folder = "faces"
[model]
family = "mobilenet_v2"
size = 96
[[steps]]
name = "whole"
do = "train"
[[steps]]
name = "half"
do = "prune"
macs = 0.5
[[steps]]
name = "int8"
do = "quantize"
"""


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "recipe.toml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_recipes_and_fit_the_schema(path: Path) -> None:
    import tomllib

    recipe, text = load_recipe(path)
    assert recipe.name == path.stem
    jsonschema.Draft202012Validator(schema()).validate(tomllib.loads(text))


def test_steps_follow_one_another_unless_they_say_from_which(written) -> None:
    recipe, _ = load_recipe(
        written(
            WHOLE + '[[steps]]\nname = "float16"\nfrom = "whole"\ndo = "quantize"\nto = "float16"'
        )
    )
    sources = [recipe.source_of(step) for step in recipe.steps]
    assert sources == [None, "whole", "half", "whole"]
    assert recipe.chain("int8") == ("whole", "half", "int8")
    assert (recipe.baseline_name, recipe.result_name) == ("whole", "float16")


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (
            'do = "train"',
            'do = "rain"',
            ":10: steps[0].do: 'rain' is not known (did you mean 'train'?)",
        ),
        (
            'do = "train"',
            'do = "train"\nepoch = 3',
            ":11: steps[0].epoch: is no key of [[steps]]; did",
        ),
        ("size = 96", "size = 16", ":7: model.size"),
        ("mobilenet_v2", "mobilenet_v4", ":6: model.family: 'mobilenet_v4' is not known (did you"),
        ("macs = 0.5", "macs = 5.0", ":14: steps[1].macs: 5.0 is too large; a number above 0"),
        ("macs = 0.5", "", ':11: steps[1]: method = "channels" goes by macs or latency alone, and'),
        (
            "macs = 0.5",
            'method = "magnitude"\nmacs = 0.5',
            'method = "magnitude" goes by sparsity alone, and there is macs; e.g. sparsity = 0.7',
        ),
        (
            "macs = 0.5",
            "macs = 0.5\nfrom = 'hole'",
            ":15: steps[1].from: 'hole' is no step before this one; did you mean 'whole'?",
        ),
        ('"int8"', '"half"', "'half' is there twice; each step needs a name of its own"),
        ('name = "face"', 'name = "face"\nresult = "int9"', ":3: result: 'int9' is no step"),
        ('name = "face"', 'name = "fa ce"', ":2: name: "),
        ('folder = "faces"', "", ":3: data.folder: is missing; text is asked for, e.g. folder ="),
        (
            'folder = "faces"',
            'folder = "faces"\nsplit = { train = 0.5, validation = 0.1, test = 0.1 }',
            ":5: data.split: train, validation and test are 0.7 together; 1 is asked for",
        ),
        ('family = "mobilenet_v2"', "", ":5: model: neither family nor start is there; one says"),
        (
            'do = "train"',
            'do = "quantize"\nto = "float32"',
            ":8: steps[0]: takes the start's weights, and there are none; name a start, or train",
        ),
        (
            'do = "quantize"',
            'do = "quantize"\n[[steps]]\nname = "more"\ndo = "train"',
            ":18: steps[3]: takes the model of 'int8', which is quantized; from = a step that is",
        ),
        (
            'do = "train"',
            'do = "train"\naugmentation = { rain = 0.1 }',
            ":11: steps[0].augmentation",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence_with_its_line(
    before: str, after: str, sentence: str, written
) -> None:
    assert before in WHOLE
    with pytest.raises(ConfigError) as problem:
        load_recipe(written(WHOLE.replace(before, after)))
    assert sentence in str(problem.value)
    assert "\n" not in str(problem.value)


def test_all_that_is_wrong_is_told_at_once(written) -> None:
    text = WHOLE.replace("size = 96", 'size = "96"').replace("macs = 0.5", "macs = 0")
    with pytest.raises(ConfigError) as problem:
        load_recipe(written(text))
    assert len(str(problem.value).splitlines()) == 2


def test_a_file_that_is_missing_or_no_toml_is_told(written, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        load_recipe(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match=r"recipe.toml:1: column"):
        load_recipe(written("name = face\n"))


def test_a_float_model_that_was_only_converted_may_be_quantized(written) -> None:
    text = """
name = "face"
data = { folder = "faces" }
model = { start = "model.h5", size = 96, range = [0, 1] }
steps = [
    { name = "float", do = "quantize", to = "float32" },
    { name = "int8", do = "quantize" },
]
"""
    recipe, _ = load_recipe(written(text))
    assert recipe.chain("int8") == ("float", "int8")
