"""What programs for the Coral boards see in a detector; run by a Python that has an interpreter.

They know four outputs: where the model has a signature, by the names that TensorFlow 2 gives them
(output_0 is the count, then scores, classes, boxes); else by their order (boxes, classes, scores,
count). Older ones go by the order only, and some look at all rows, whatever the count is.

Usage: pycoral_reader.py signature|order MODEL IMAGE…
Prints one JSON list an image: [class, score, [x1, y1, x2, y2] in pixels] of each row.
"""

import json
import sys

import cv2

try:
    from tflite_runtime.interpreter import Interpreter
except ModuleNotFoundError:
    from ai_edge_litert.interpreter import Interpreter


def tensors(interpreter, by):
    signatures = interpreter.get_signature_list()
    if by == "signature":
        (name,) = signatures
        named = interpreter._get_full_signature_list()[name]["outputs"]
        indexes = [named[f"output_{number}"] for number in (3, 2, 1, 0)]
    else:
        indexes = [output["index"] for output in interpreter.get_output_details()]
    return [interpreter.get_tensor(index) for index in indexes]


by, model, *paths = sys.argv[1:]
interpreter = Interpreter(model)
interpreter.allocate_tensors()
(given,) = interpreter.get_input_details()
_, height, width, _ = given["shape"]
for path in paths:
    pixels = cv2.resize(cv2.imread(path), (int(width), int(height)))[..., ::-1]
    interpreter.set_tensor(given["index"], pixels[None])
    interpreter.invoke()
    boxes, classes, scores, count = tensors(interpreter, by)
    assert count.size == 1
    rows = []
    for (y1, x1, y2, x2), kind, score in zip(boxes[0], classes[0], scores[0], strict=True):
        corners = [x1 * width, y1 * height, x2 * width, y2 * height]
        rows.append([int(kind), float(score), [float(corner) for corner in corners]])
    sys.stdout.write(json.dumps(rows) + "\n")
