// Softmax along the middle of (outer, axis, inner): one pass for the largest element and the sum
// of e^(x - largest), rescaled where a larger one comes, one for the results.

${ header }
# if lanes > 1
var<workgroup> tree: array<vec2<f32>, ${ workgroup_invocations }>;

# endif
// A sum of e^(x - largest) seen from another largest; equal infinities do not differ.
fn rescaled(a: vec2<f32>, largest: f32) -> f32 {
    if (bitcast<u32>(a.x) == bitcast<u32>(largest)) {
        return a.y;
    }
    return a.y * lam_exp(a.x - largest);
}

fn combine(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    let largest = lam_max(a.x, b.x);
    return vec2<f32>(largest, rescaled(a, largest) + rescaled(b, largest));
}

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
    let index = lam_workgroup(group, groups) * ${ columns }u + column;
    let inside = index < params.size;
    let outer = index / params.inner;
    let first = outer * params.count * params.inner + index % params.inner;
    var total = vec2<f32>(-lam_inf(), 0.0);
    if (inside) {
        for (var k = lane; k < params.count; k += ${ lanes }u) {
            total = combine(total, vec2<f32>(source[params.offset + first + k * params.inner], 1.0));
        }
    }
# if lanes > 1
    total = tree_fold(local, lane, total);
# endif
    if (!inside) {
        return;
    }
    let infinite = lam_is_inf(total.x);
    // Nothing but -inf: softmax 0, its logarithm -inf.  With +inf there is no telling.
    let hopeless = infinite && (bitcast<u32>(total.x) >> 31u) == 0u;
# if log
    let shift = lam_log(total.y);
# else
    let scale = lam_div(1.0, total.y);
# endif
    for (var k = lane; k < params.count; k += ${ lanes }u) {
        let at = first + k * params.inner;
# if log
        var y = (source[params.offset + at] - total.x) - shift;
        if (infinite) {
            y = -lam_inf();
        }
# else
        var y = lam_exp(source[params.offset + at] - total.x) * scale;
        if (infinite) {
            y = 0.0;
        }
# endif
        if (hopeless) {
            y = lam_nan();
        }
        result[at] = y;
    }
}
