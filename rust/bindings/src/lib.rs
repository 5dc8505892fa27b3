//! Lamina's Python extension.
