// The gradient of layer normalisation by x, a row at a time: with h = (x - mean) inverse and
// g = dy weight, dx = inverse (g - mean(g) - h mean(g h)), without mean(g) where rows are not centred.

${ header }
# if lanes > 1
var<workgroup> tree: array<${ state }, ${ workgroup_invocations }>;

fn combine(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return a + b;
}

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
# if grouped
    let part = row % params.groups * params.channels;
# endif
    var total = ${ state }();
    var centre = 0.0;
    var scale = 0.0;
    if (inside) {
        centre = mean[params.mean_offset + row];
        scale = inverse[params.inverse_offset + row];
        for (var k = lane; k < params.count; k += ${ lanes }u) {
# if grouped
            let at = part + k / params.inner;
# else
            let at = k;
# endif
            let g = gradient[params.gradient_offset + first + k] * weight[params.weight_offset + at];
            let h = (source[params.source_offset + first + k] - centre) * scale;
            total += vec2<f32>(g, g * h);
        }
    }
# if lanes > 1
    total = tree_fold(local, lane, total);
# endif
    if (!inside) {
        return;
    }
# if centred
    let even = lam_div(total.x, f32(params.count));
# else
    let even = 0.0;
# endif
    let along = lam_div(total.y, f32(params.count));
    for (var k = lane; k < params.count; k += ${ lanes }u) {
# if grouped
        let at = part + k / params.inner;
# else
        let at = k;
# endif
        let g = gradient[params.gradient_offset + first + k] * weight[params.weight_offset + at];
        let h = (source[params.source_offset + first + k] - centre) * scale;
        result[first + k] = scale * ((g - even) - h * along);
    }
}
