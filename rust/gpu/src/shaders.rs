//! The WGSL that comes with the crate: one line for each file.

macro_rules! shader {
    ($path:literal) => {
        (
            $path,
            include_str!(concat!("../../../shaders/", $path, ".wgsl")),
        )
    };
}

/// Templates, by the name that kernels render them by.
pub(crate) const TEMPLATES: &[(&str, &str)] = &[
    shader!("argmax"),
    shader!("avg_pool2d"),
    shader!("avg_pool2d_backward"),
    shader!("batch_norm"),
    shader!("batch_norm_combine"),
    shader!("batch_norm_finish"),
    shader!("common/fetch_index"),
    shader!("common/grid_taps"),
    shader!("common/quads"),
    shader!("common/roi"),
    shader!("common/roi_samples"),
    shader!("concat"),
    shader!("conv2d"),
    shader!("conv2d_backward_weight"),
    shader!("conv2d_backward_weight_direct"),
    shader!("conv2d_direct"),
    shader!("cumulative"),
    shader!("det"),
    shader!("det_backward"),
    shader!("dft_load"),
    shader!("dft_product"),
    shader!("dft_step"),
    shader!("dft_store"),
    shader!("elementwise"),
    shader!("gather"),
    shader!("gather_backward"),
    shader!("gemm"),
    shader!("grid_sample"),
    shader!("grid_sample_backward_grid"),
    shader!("grid_sample_backward_input"),
    shader!("layer_norm"),
    shader!("layer_norm_backward"),
    shader!("matmul"),
    shader!("max_pool2d"),
    shader!("max_pool2d_backward"),
    shader!("moments"),
    shader!("overlap_add"),
    shader!("philox"),
    shader!("reduce"),
    shader!("resize"),
    shader!("roi_align"),
    shader!("roi_align_backward"),
    shader!("roi_pool"),
    shader!("roi_pool_backward"),
    shader!("scatter_slice"),
    shader!("softmax"),
    shader!("sort"),
    shader!("sort_step"),
    shader!("sum_splits"),
    shader!("take"),
    shader!("take_backward"),
    shader!("tile_place"),
    shader!("tree_fold"),
    shader!("tree_sum"),
    shader!("window_covering"),
    shader!("window_first"),
    shader!("window_share"),
];

/// Functions named `lam_...`; a module gets those that it calls.
pub(crate) const LIBRARY: &[(&str, &str)] = &[
    shader!("common/index"),
    shader!("common/arith"),
    shader!("common/math"),
    shader!("common/order"),
    shader!("common/pack"),
    shader!("common/turn"),
    shader!("common/wide"),
];
