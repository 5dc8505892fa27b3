// Layer normalisation: each row's moments, then the row.  Numbers are taken from the row's first
// one, so that a large mean costs no digits.  Of rows that are not centred the mean is 0.  In groups,
// weight and bias have a part for each group of rows, and each value is that of `inner` neighbours.

${ header }
# if lanes > 1
var<workgroup> tree: array<${ state }, ${ workgroup_invocations }>;

# endif
# include "moments"

# if lanes > 1
# include "tree_fold"
# endif

@compute ${ workgroup }
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
# include "tile_place"
    let row = lam_workgroup(group, groups) * ${ columns }u + column;
    let inside = row < params.rows;
    let first = row * params.count;
    var total = ${ state }();
    var origin = 0.0;
    if (inside) {
# if centred
        origin = source[params.source_offset + first];
# endif
        for (var k = lane; k < params.count; k += ${ lanes }u) {
            let value = source[params.source_offset + first + k] - origin;
# if centred
            total = with_value(total, value);
# else
            total = vec4<f32>(0.0, total.y + value * value, total.z + 1.0, 0.0);
# endif
        }
    }
# if lanes > 1
    total = tree_fold(local, lane, total);
# endif
    if (!inside) {
        return;
    }
    let scale = lam_div(1.0, lam_sqrt(lam_div(total.y, f32(params.count)) + params.eps));
    if (lane == 0u) {
        mean[row] = origin + total.x;
        inverse[row] = scale;
    }
# if grouped
    let part = row % params.groups * params.channels;
# endif
    for (var k = lane; k < params.count; k += ${ lanes }u) {
# if grouped
        let at = part + k / params.inner;
# else
        let at = k;
# endif
        let h = ((source[params.source_offset + first + k] - origin) - total.x) * scale;
        result[first + k] = h * weight[params.weight_offset + at] + bias[params.bias_offset + at];
    }
}
