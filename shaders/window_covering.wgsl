// The outputs whose windows reach across an input: from `first` to `last` of each axis.
fn first_covering(at: i32, pad: i32, reach: i32, stride: u32) -> u32 {
    let start = at + pad - reach + 1;
    return select(0u, (u32(max(start, 0)) + stride - 1u) / stride, start > 0);
}

fn last_covering(at: i32, pad: i32, stride: u32, out: u32) -> u32 {
    return min(u32(at + pad) / stride, out - 1u);
}
