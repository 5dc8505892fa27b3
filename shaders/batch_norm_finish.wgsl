// One channel's parts to its statistics, or to its gradients, and the factors by which its
// elements are then mapped.

${ header }
# include "batch_norm_combine"

@compute ${ workgroup }
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let channel = lam_workgroup(group, groups) * ${ workgroup_invocations }u + local;
    if (channel >= params.channels) {
        return;
    }
    var total = parts[channel];
    for (var part = 1u; part < params.parts; part++) {
        total = combine(total, parts[part * params.channels + channel]);
    }
    let count = f32(params.count);
# if backward
    let scale = lam_div(1.0, lam_sqrt(variance[params.variance_offset + channel] + params.eps));
    weight_gradient[channel] = total.y;
    bias_gradient[channel] = total.x;
    factors[channel] = weight[params.weight_offset + channel] * scale;
    factors[params.channels + channel] = lam_div(total.x, count);
    factors[2u * params.channels + channel] = scale * lam_div(total.y, count);
# else
    let spread = lam_div(total.y, count);
    mean[channel] = total.x;
    variance[channel] = spread;
    factors[channel] = lam_div(weight[params.weight_offset + channel], lam_sqrt(spread + params.eps));
# endif
}
