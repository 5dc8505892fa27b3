// How many taps from `first` on lie in `low` to `high`.
fn counted(first: i32, low: i32, high: i32, kernel: i32, dilation: i32) -> i32 {
    let skipped = clamp((low - first + dilation - 1) / dilation, 0, kernel);
    let end = clamp((high - first + dilation - 1) / dilation, 0, kernel);
    return max(end - skipped, 0);
}

// What one element counts in the mean of the window at `out_y`, `out_x`.
fn window_share(out_y: u32, out_x: u32) -> f32 {
    let first_y = i32(out_y * params.stride_y) - params.pad_top;
    let first_x = i32(out_x * params.stride_x) - params.pad_left;
# if include_pad
    let rows = counted(first_y, -params.pad_top, params.height + params.pad_bottom, params.kernel_y, params.dilation_y);
    let columns = counted(first_x, -params.pad_left, params.width + params.pad_right, params.kernel_x, params.dilation_x);
# else
    let rows = counted(first_y, 0, params.height, params.kernel_y, params.dilation_y);
    let columns = counted(first_x, 0, params.width, params.kernel_x, params.dilation_x);
# endif
    let count = rows * columns;
    if (count == 0) {
        return 0.0;
    }
    return lam_div(1.0, f32(count));
}
