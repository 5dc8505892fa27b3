// Sums per channel of (batch, channels, inner), cut into parts: forward the mean, the sum of
// squared differences from it and the count (Welford's, merged as Chan et al. 1979 do); backward
// the sums of dy and of dy h, h = (x - mean) / sqrt(var + eps).

${ header }
# if lanes > 1
var<workgroup> tree: array<${ state }, ${ workgroup_invocations }>;

# endif
# include "batch_norm_combine"

# if lanes > 1
# include "tree_fold"
# endif

@compute ${ workgroup }
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = lam_workgroup(group, groups);
    let part = number / params.tiles;
# include "tile_place"
    let channel = (number % params.tiles) * ${ columns }u + column;
    let inside = channel < params.channels && part < params.parts;
    var total = ${ state }();
    if (inside) {
        let base = channel * params.inner;
        let plane = params.channels * params.inner;
        let end = min(params.count, (part + 1u) * params.chunk);
# if backward
        let centre = mean[params.mean_offset + channel];
        let scale = lam_div(1.0, lam_sqrt(variance[params.variance_offset + channel] + params.eps));
# endif
        for (var k = part * params.chunk + lane; k < end; k += ${ lanes }u) {
            let at = (k / params.inner) * plane + base + k % params.inner;
            let value = source[params.source_offset + at];
# if backward
            let dy = gradient[params.gradient_offset + at];
            total += vec4<f32>(dy, dy * ((value - centre) * scale), 0.0, 0.0);
# else
            total = with_value(total, value);
# endif
        }
    }
# if lanes > 1
    total = tree_fold(local, lane, total);
# endif
    if (inside && lane == 0u) {
        parts[part * params.channels + channel] = total;
    }
}
