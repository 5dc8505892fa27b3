//! Lamina's engine: tensors, graph, plan, gradients.
