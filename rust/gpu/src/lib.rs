//! Lamina's GPU side: programs of WGSL dispatches on wgpu.
