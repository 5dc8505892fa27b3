"""From a network's outputs to answers.

A decoder is a class with `inputs`, the names of what it wants, constructor
keywords for its settings, and `__call__`, which takes one array per input.
"""

from lamina.decoders.detections import Detections
from lamina.decoders.nms import NMS, nms

__all__ = ["NMS", "Detections", "nms"]
