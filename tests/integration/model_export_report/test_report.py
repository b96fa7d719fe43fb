"""What is written of a recipe's outcome."""

from __future__ import annotations

import base64
import itertools
import json
import os
import pickle
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.frame import Image
from model_export.datasets.samples import Sample
from model_export.detection_evaluation import DetectorQuality
from model_export.errors import ExportError
from model_export.evaluation import ClassifierQuality
from model_export.object_quality import Fault
from model_export.recipes.outcome import Check, RecipeOutcome
from model_export.report import as_dict, write_report
from model_export.report.page import page
from tests.integration.model_export_report.markup import Element, Page
from tests.integration.model_export_report.outcomes import RECIPE

HOSTILE = "_$x^2$<script>hacked=1</script>\"'& \0\udc80"
"""A name that matplotlib would hide or set as a formula, that runs, and that is no text."""

FILE = HOSTILE.replace("\0", "")
"""The same but for what no file can be called."""


def hostile(outcome: RecipeOutcome) -> RecipeOutcome:
    """The outcome with such names wherever somebody may choose one."""
    name = {step.name: f"{HOSTILE}{step.name}" for step in outcome.steps}
    steps = tuple(
        replace(
            step,
            name=name[step.name],
            source=step.source and name[step.source],
            summary=HOSTILE,
            note=HOSTILE,
            edgetpu=HOSTILE,
            model=step.model.with_name(FILE.replace("/", "")),
        )
        for step in outcome.steps
    )
    return replace(
        outcome,
        name=HOSTILE,
        recipe=HOSTILE,
        baseline=name[outcome.baseline],
        result=name[outcome.result],
        steps=steps,
        checks=(Check(HOSTILE, 1, 2, False, HOSTILE),),
        tools={HOSTILE: HOSTILE},
        card=f"# {HOSTILE}\n",
    )


def with_hostile_classes(outcome: RecipeOutcome) -> RecipeOutcome:
    """A classifier's outcome whose labels and pictures have such names."""

    def changed(quality: ClassifierQuality) -> ClassifierQuality:
        return replace(
            quality,
            classes=tuple(replace(item, label=HOSTILE + item.label) for item in quality.classes),
            lighting=tuple(
                replace(item, recall={HOSTILE + name: rate for name, rate in item.recall.items()})
                for item in quality.lighting
            ),
            worst=tuple(
                replace(
                    item, label=HOSTILE, said=HOSTILE, picture="/no/" + HOSTILE.replace("\0", "")
                )
                for item in quality.worst
            ),
        )

    steps = []
    for step in outcome.steps:
        assert isinstance(step.quality, ClassifierQuality)
        steps.append(replace(step, quality=changed(step.quality)))
    return replace(outcome, steps=tuple(steps))


def decoded(image: Element) -> Image:
    """The picture that an <img> holds."""
    head, _, data = (image.attributes["src"] or "").partition(",")
    assert head == "data:image/jpeg;base64"
    found = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert found is not None
    return found.astype(np.uint8)


def test_both_files_are_written_and_told(persons: RecipeOutcome, tmp_path: Path) -> None:
    html, document = write_report(persons, tmp_path)
    assert (html, document) == (tmp_path / "report.html", tmp_path / "report.json")
    assert sorted(tmp_path.iterdir()) == [html, document]
    assert html.read_bytes() == page(persons, tmp_path)


def test_a_folder_that_is_missing_is_told_of(persons: RecipeOutcome, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"for report\.html does not exist: make it first"):
        write_report(persons, tmp_path / "none")


def test_the_json_has_all_of_the_outcome_to_the_last_bit(
    persons: RecipeOutcome, tmp_path: Path
) -> None:
    _, path = write_report(persons, tmp_path)
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found == as_dict(persons, tmp_path)
    assert found["layout"] == 1 and found["passed"] is True
    assert found["recipe"] == RECIPE and found["finished"] == "2026-11-23T14:05:09+00:00"
    result, quality = persons.steps[1], persons.steps[1].quality
    assert isinstance(quality, ClassifierQuality)
    step = found["steps"][1]
    assert step["model"] == str(result.model)
    assert step["accuracy"] == quality.accuracy.value == step["quality"]["accuracy"]["value"]
    assert step["quality"]["kind"] == "classifier"
    curve = quality.classes[1].curve
    assert curve is not None
    points = step["quality"]["classes"][1]["curve"]["points"]
    assert [point["recall"] for point in points] == [point.recall for point in curve.points]
    assert step["figures"]["invokes"][0]["p50"] == result.figures.invokes[0].p50
    assert found["benchmark"]["models"] == [item["figures"] for item in found["steps"]]


def test_paths_in_the_reports_folder_are_relative_to_it(heads: RecipeOutcome) -> None:
    folder = heads.steps[0].model.parent
    found = as_dict(heads, folder)
    assert found["steps"][0]["model"] == "float.tflite"
    assert found["steps"][0]["quality"]["model"] == "float.tflite"
    assert found["steps"][1]["against_baseline"]["a"] == "float.tflite"
    assert str(folder) not in json.dumps(found)
    assert str(folder) not in page(heads, folder).decode()


def test_a_number_that_json_lacks_is_null(heads: RecipeOutcome, tmp_path: Path) -> None:
    check = Check("max_latency_ratio", float("nan"), float("inf"), False, "")
    _, path = write_report(replace(heads, checks=(check,)), tmp_path)
    found = json.loads(path.read_bytes(), parse_constant=pytest.fail)
    assert found["checks"][0]["limit"] is None and found["checks"][0]["found"] is None


def test_the_same_outcome_gives_the_same_bytes(persons: RecipeOutcome, tmp_path: Path) -> None:
    """In another process as well, whose sets and dictionaries have another order."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    write_report(persons, here)
    code = (
        "import pickle, sys; from pathlib import Path;"
        "from model_export.report import write_report;"
        "write_report(pickle.load(sys.stdin.buffer), Path(sys.argv[1]))"
    )
    subprocess.run(
        [sys.executable, "-c", code, there],
        input=pickle.dumps(persons),
        env=os.environ | {"PYTHONHASHSEED": "17", "TZ": "Asia/Tokyo"},
        check=True,
    )
    for name in ("report.html", "report.json"):
        assert (here / name).read_bytes() == (there / name).read_bytes()


def test_the_page_says_what_the_gate_says(
    persons_page: Page, heads_page: Page, heads: RecipeOutcome
) -> None:
    passed = persons_page
    assert "✓ The gate lets int8 through: both checks are met." in passed.texts("h2")
    assert "0.41 points" in passed.texts("td") and "✓ met" in passed.texts("td")
    refused = heads_page
    assert "✗ The gate refuses half-int8: its only check is not met." in refused.texts("h2")
    assert "AP50 lost, at most max_accuracy_drop" in refused.texts("th")
    blame = "half lost most of it: 0.7 points of AP50 against float."
    assert any(blame in text for text in refused.texts("p"))
    open_ = Page(page(replace(heads, checks=()), Path()))
    assert "○ The recipe has no gate: nothing was held against limits." in open_.texts("h2")


def test_a_condition_that_is_not_known_is_told_by_its_numbers(heads: RecipeOutcome) -> None:
    check = Check("max_watts", 2.5, 3.25, False, "the fan")
    found = Page(page(replace(heads, checks=(check,)), Path()))
    assert "max_watts" in found.texts("th")
    assert {"2.5", "3.25"} <= set(found.texts("td"))
    assert any("the fan." in text for text in found.texts("p"))


def test_steps_stand_side_by_side(heads_page: Page) -> None:
    assert {"float baseline", "half-int8 result", "zeros"} <= set(heads_page.texts("th"))
    cells = heads_page.texts("td")
    for told in (
        "the recipe's start",
        "channels pruned to 25% of the MACs",
        "a smaller download, no speed",
        "41.2%",
        "40.1% −1.1 points",  # noqa: RUF001
        "95.0% in 542 pictures",
        "720,000 16% of the baseline",
        "4.10 p95 5.33 20% of the baseline",
        "the Edge TPU would run 61 of the 64 operators, the CPU the others",
        "2 min 32 s",
    ):
        assert any(told in cell for cell in cells), told


def test_best_and_worst_are_words_too(heads_page: Page) -> None:
    cells = heads_page.texts("td")
    assert "▲ best 41.2%" in cells
    assert "▽ worst 36.2% −5.0 points" in cells  # noqa: RUF001
    # All arenas are alike: none is better.
    assert "1,900,000" in cells


def test_a_single_step_is_baseline_and_result(heads: RecipeOutcome) -> None:
    alone = replace(heads, steps=heads.steps[:1], result="float")
    found = Page(page(alone, Path()))
    assert "float baseline result" in found.texts("th")
    assert "float baseline and result" in found.texts("th")
    assert not any("points from" in text for text in found.texts("dd"))


def test_a_classifier_is_told_by_class_and_light(
    persons: RecipeOutcome, persons_page: Page
) -> None:
    quality = persons.step("int8").quality
    assert isinstance(quality, ClassifierQuality)
    recall, normal = quality.classes[1].recall, quality.lighting[2].accuracy
    for rate in (recall, normal):
        assert rate.value is not None and rate.low is not None and rate.high is not None
        told = f"{rate.value:.1%} {100 * rate.low:.1f} to {100 * rate.high:.1f}"
        assert told in persons_page.texts("td")
    assert "person 43 pictures" in persons_page.texts("th")
    (missed,) = {row[0] for row in quality.confusion[1:]}
    assert f"{missed} {missed / sum(quality.confusion[1]):.1%}" in persons_page.texts("td")


def test_a_detector_is_told_by_the_size_of_boxes(heads_page: Page) -> None:
    assert {"AP75", "small", "medium", "large"} <= set(heads_page.texts("th"))
    assert "all classes 1,210 boxes" in heads_page.texts("th")
    assert "33.1%" in heads_page.texts("td")


def test_a_detector_is_told_by_objects_and_by_pictures(photos: RecipeOutcome) -> None:
    quality = photos.step("half-int8").quality
    assert isinstance(quality, DetectorQuality)
    found = Page(page(photos, Path()))
    wanted = {"Average precision", "At the threshold", "By size of objects", "By light"}
    assert wanted <= set(found.texts("h3"))
    cells, (person,) = found.texts("td"), quality.objects
    sure = quality.overall.ap50_interval
    assert quality.overall.ap50 is not None and sure is not None
    average = f"{quality.overall.ap50:.1%} {100 * sure.low:.1f} to {100 * sure.high:.1f}"
    assert average in cells
    seen, tall = person.presence.recall, person.by_height["above 50%"]
    for rate, more in ((seen, ""), (tall, f" of {tall.of}")):
        assert rate.value is not None and rate.low is not None and rate.high is not None
        told = f"{rate.value:.1%} {100 * rate.low:.1f} to {100 * rate.high:.1f}{more}"
        assert told in cells, told
    titles = set(found.texts("title"))
    assert {"Precision over recall of boxes: person", "ROC of pictures: person"} <= titles


def test_what_a_detector_got_wrong_is_framed(photos: RecipeOutcome) -> None:
    quality = photos.step("half-int8").quality
    assert isinstance(quality, DetectorQuality)
    found = Page(page(photos, Path()))
    captions, images = found.texts("figcaption"), found.all("img")
    assert len(images) == len(quality.worst) > 5
    missed = next(item for item in quality.worst if item.fault is Fault.MISSED)
    assert f"missed person in the frame {Path(missed.picture).name}" in captions
    alarm = quality.worst[0]
    assert alarm.fault is Fault.FALSE_ALARM and alarm.score is not None
    assert images[0].attributes["alt"] == f"saw person {alarm.score:.2f}, none is there"
    small, large = decoded(images[0]), Sample(Path(alarm.picture), 0).read()
    x1, y1, x2, _ = (round(edge * max(small.shape) / max(large.shape)) for edge in alarm.box)
    above = small[max(0, y1 - 1) : y1 + 2, (x1 + x2) // 2].astype(int)
    # The line's middle is yellow.
    assert (above[:, 2] - above[:, 0]).max() > 80


def test_the_page_tells_where_the_result_is_furthest_from_the_baseline(
    persons_page: Page, heads_page: Page
) -> None:
    assert "Where half-int8 is furthest from float" in heads_page.texts("h2")
    assert {"person 0.91, face 0.40", "nothing", "0.910"} <= set(heads_page.texts("td"))
    assert "finds the baseline's boxes" in heads_page.texts("th")
    # All pictures are decided alike.
    assert "Where int8 is furthest from float" not in persons_page.texts("h2")


def test_plots_have_titles_and_ids_of_their_own(persons_page: Page) -> None:
    plots = [svg for svg in persons_page.all("svg") if svg.attributes.get("role") == "img"]
    assert len(plots) == 2 + 2 * 2 + 1
    ids = persons_page.attributes("id")
    assert len(ids) == len(set(ids))
    assert all(svg.attributes["aria-labelledby"] in ids for svg in plots)
    titles = [element.text for element in persons_page.all("title")]
    assert "accuracy of each step over the time of an inference" in titles
    assert "ROC of person" in titles and "Training of float by epoch" in titles
    for reference in re.findall(r"url\(#([^)]*)\)", " ".join(persons_page.attributes("clip-path"))):
        assert reference in ids


def test_the_steps_are_named_in_the_plots(heads: RecipeOutcome, heads_page: Page) -> None:
    texts = heads_page.texts("text")
    assert all(texts.count(step.name) == 2 for step in heads.steps)


def test_tables_say_what_their_headers_are_for(persons_page: Page) -> None:
    assert all(element.attributes.get("scope") for element in persons_page.all("th"))
    levels = [int(element.tag[1]) for element in persons_page.all("h1", "h2", "h3", "h4")]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_the_worst_pictures_are_in_the_page_as_the_model_saw_them(
    persons: RecipeOutcome,
    persons_page: Page,
) -> None:
    quality = persons.step("int8").quality
    assert isinstance(quality, ClassifierQuality)
    images = persons_page.all("img")
    assert len(images) == len(quality.worst)
    worst, image = quality.worst[0], images[0].attributes
    assert image["alt"] == f"said {worst.said} {worst.score:.2f}, is {worst.label}"
    seen = decoded(images[0])
    assert max(seen.shape) == 160
    crop = Sample(Path(worst.picture), 0, worst.crop).read()
    expected = cv2.resize(crop, seen.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(seen.astype(int) - expected).mean() < 6
    captions = persons_page.texts("figcaption")
    assert any(f"said {worst.said} {worst.score:.2f} is {worst.label}" in c for c in captions)


def test_a_picture_that_is_gone_is_said_in_its_place(
    persons: RecipeOutcome, tmp_path: Path
) -> None:
    gone = with_hostile_classes(persons)
    found = Page(page(gone, tmp_path))
    assert not found.all("img")
    told = [element for element in found.all("p") if element.attributes.get("class") == "gone"]
    assert len(told) == 14, "as many as mistakes"
    assert all("there is no file" in element.text for element in told), told[0].text


def test_a_part_beyond_its_picture_is_said_in_its_place(
    persons: RecipeOutcome, tmp_path: Path
) -> None:
    result = persons.step("int8")
    assert isinstance(result.quality, ClassifierQuality)
    moved = replace(result.quality.worst[0], crop=(9000, 9000, 9100, 9100))
    steps = persons.steps[0], replace(result, quality=replace(result.quality, worst=(moved,)))
    found = Page(page(replace(persons, steps=steps), tmp_path))
    assert any("is smaller than the part that was tested" in text for text in found.texts("p"))


def test_the_page_tells_where_all_comes_from(persons: RecipeOutcome, persons_page: Page) -> None:
    facts = set(persons_page.texts("dd"))
    assert {"7", "2026-11-23T14:05:09+00:00", "persons-3.bundle"} <= facts
    assert {persons.recipe_sha256, persons.data.sha256} <= facts
    assert "keras 3.15.0, ai-edge-quantizer 0.10.1" in facts
    codes = persons_page.texts("code")
    assert all(step.quality.sha256 in codes for step in persons.steps)
    assert RECIPE.split() == " ".join(persons_page.texts("pre")).split()
    assert "1,100" in persons_page.texts("td")


def test_the_model_card_is_in_the_page(persons_page: Page, heads_page: Page) -> None:
    assert "Persons at a counter" in persons_page.texts("h3")
    assert "is somebody there?" in persons_page.texts("td")
    assert "Model card" not in heads_page.texts("h2")


def test_names_are_texts_whatever_is_in_them(persons: RecipeOutcome, tmp_path: Path) -> None:
    changed = hostile(with_hostile_classes(persons))
    write_report(changed, tmp_path)
    found = Page((tmp_path / "report.html").read_bytes())
    assert not found.all("script")
    assert not [
        name for element in found.elements for name in element.attributes if name[:2] == "on"
    ]
    assert found.texts("h1")[0].startswith("_$x^2$<script>hacked=1</script>\"'&")
    labels = [text for text in found.texts("text") if "script" in text]
    assert len(labels) == 4
    assert all(text.startswith("_$x^2$<script>hacked=1</") for text in labels)
    document = json.loads((tmp_path / "report.json").read_bytes())
    assert document["name"] == HOSTILE and document["recipe"] == HOSTILE


def test_nothing_in_the_page_is_to_be_loaded(persons_page: Page) -> None:
    assert all(
        source.startswith("data:image/jpeg;base64,") for source in persons_page.attributes("src")
    )
    ids = set(persons_page.attributes("id"))
    for reference in persons_page.attributes("href"):
        assert reference == "report.json" or (reference[0] == "#" and reference[1:] in ids)
    assert not persons_page.all("link", "script", "iframe", "object", "embed", "base", "form")
    assert (
        "@import" not in persons_page.texts("style")[0]
        and "url(" not in persons_page.texts("style")[0]
    )


@pytest.mark.parametrize("name", ["jinja2", "matplotlib", "markdown_it"])
def test_what_is_missing_is_named_and_nothing_is_written(
    persons: RecipeOutcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    told = r"is not installed, and .*: pip install 'edge-runtime\[export\]'"
    with pytest.raises(ExportError, match=told):
        write_report(persons, tmp_path)
    assert not list(tmp_path.iterdir())


def test_nothing_heavy_is_loaded_before_a_report_is_written() -> None:
    code = "import sys, model_export.report; print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in run.stdout.split()}
    assert "model_export" in loaded
    assert not loaded & {"jinja2", "matplotlib", "markdown_it", "tensorflow", "keras"}
