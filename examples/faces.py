"""Faces in a photograph: an ONNX model, non-maximum suppression, a picture with boxes.

python examples/faces.py MODEL PHOTO OUT [DEVICE]
"""

import sys
from pathlib import Path

import numpy as np

import lamina
from lamina import decoders, pictures

model_path, photo_path, out = map(Path, sys.argv[1:4])
model = lamina.onnx.load(model_path, device=sys.argv[4] if len(sys.argv) > 4 else "auto")

photo = pictures.read(photo_path)
x = pictures.to_array(photo, (240, 320), mean=[127], std=[128], layout="nchw", order="rgb")
results = model.run({model.inputs[0].name: x})

found = decoders.NMS(iou_threshold=0.3, score_threshold=0.7)(results["boxes"], results["scores"][:, :, 1])
in_pixels = found.boxes * np.tile(photo.size, 2)
found = decoders.Detections(in_pixels, found.scores, found.labels, found.indices)
pictures.with_boxes(photo, found).save(out)
print(f"{len(found)} faces, on {model.device}; written to {out}")
