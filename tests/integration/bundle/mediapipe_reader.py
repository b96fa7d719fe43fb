"""What MediaPipe Tasks see; run by the Python of an environment that has mediapipe.

Usage: mediapipe_reader.py classifier|detector MODEL IMAGE…
Prints one JSON list an image: [label, score, [x1, y1, x2, y2] or null], best first.
"""

import json
import sys

import mediapipe as mp
from mediapipe.tasks.python import BaseOptions, vision


def classify(model, images):
    options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=model))
    with vision.ImageClassifier.create_from_options(options) as task:
        for image in images:
            categories = task.classify(image).classifications[0].categories
            yield [[seen.category_name, seen.score, None] for seen in categories]


def detect(model, images):
    options = vision.ObjectDetectorOptions(
        base_options=BaseOptions(model_asset_path=model), score_threshold=0.3
    )
    with vision.ObjectDetector.create_from_options(options) as task:
        for image in images:
            found = [
                (seen.categories[0], seen.bounding_box) for seen in task.detect(image).detections
            ]
            yield [
                [
                    category.category_name,
                    category.score,
                    [
                        box.origin_x,
                        box.origin_y,
                        box.origin_x + box.width,
                        box.origin_y + box.height,
                    ],
                ]
                for category, box in found
            ]


kind, model, *paths = sys.argv[1:]
images = map(mp.Image.create_from_file, paths)
for seen in (classify if kind == "classifier" else detect)(model, images):
    sys.stdout.write(json.dumps(seen) + "\n")
