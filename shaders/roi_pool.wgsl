// The largest element in each bin of regions of images, and its place in the plane: the first of
// equals, NaN before all; 0 and -1 for a bin without elements.

${ header }
# include "common/roi"

// The ends of a bin along an axis, of a region from `low` to `high` in whole elements.
fn bin_of(low: f32, high: f32, bins: u32, bin: u32, size: u32) -> vec2<i32> {
    if (!finite(low) || !finite(high)) {
        return vec2<i32>(0, 0);
    }
    // Halves away from zero; far away all boxes lie outside.
    let far = 1e8;
    let start = i32(clamp(sign(low) * floor(abs(low) + 0.5), -far, far));
    let end = i32(clamp(sign(high) * floor(abs(high) + 0.5), -far, far));
    let length = u32(max(end - start + 1, 1));
    // bin * length / bins, which would not fit.
    let whole = length / bins;
    let rest = length % bins;
    let first = bin * whole + bin * rest / bins;
    let last = (bin + 1u) * whole + ((bin + 1u) * rest + bins - 1u) / bins;
    return clamp(start + vec2<i32>(i32(first), i32(last)), vec2<i32>(0), vec2<i32>(i32(size)));
}

@compute ${ workgroup }
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = lam_workgroup(group, groups) * ${ workgroup_invocations }u + local;
    if (index >= params.size) {
        return;
    }
    let column = index % params.columns;
    let row = index / params.columns % params.rows;
    let plane = index / params.columns / params.rows;
    let box = plane / params.channels;
    let image = image_of(box);
    let rows = bin_of(corner(box, 1u), corner(box, 3u), params.rows, row, params.height);
    let columns = bin_of(corner(box, 0u), corner(box, 2u), params.columns, column, params.width);
    let base = params.offset + (image * params.channels + plane % params.channels) * params.height * params.width;
    var best = 0.0;
    var place = -1;
    for (var y = rows.x; y < rows.y; y++) {
        for (var x = columns.x; x < columns.y; x++) {
            let at = y * i32(params.width) + x;
            let value = input[base + u32(at)];
            if (place < 0 || (!lam_is_nan(best) && (lam_is_nan(value) || value > best))) {
                best = value;
                place = at;
            }
        }
    }
    output[index] = best;
    places[index] = place;
}
