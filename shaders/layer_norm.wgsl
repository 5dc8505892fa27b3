// Layer normalisation: each row's moments, then the row.  Numbers are taken from the row's first
// one, so that a large mean costs no digits.

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
        origin = source[params.source_offset + first];
        for (var k = lane; k < params.count; k += ${ lanes }u) {
            total = with_value(total, source[params.source_offset + first + k] - origin);
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
    for (var k = lane; k < params.count; k += ${ lanes }u) {
        let h = ((source[params.source_offset + first + k] - origin) - total.x) * scale;
        result[first + k] = h * weight[params.weight_offset + k] + bias[params.bias_offset + k];
    }
}
