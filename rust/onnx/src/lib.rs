//! Lamina's models: ONNX in and out.
