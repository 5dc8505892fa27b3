// The gradient of weights with few channels in a group: one workgroup for each weight, whose
// invocations share the output's pixels over all images.

${ header }
var<workgroup> tree: array<f32, ${ workgroup_invocations }>;

# include "tree_sum"

fn gradient_value(at: u32) -> f32 {
    return ${ gradient.load };
}

fn source_value(at: u32) -> f32 {
    return ${ source.load };
}

@compute ${ workgroup }
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = lam_workgroup(group, groups);
    if (number >= params.size) {
        return;
    }
    let kx = i32(number % ${ kernel[1] }u);
    let ky = i32((number / ${ kernel[1] }u) % ${ kernel[0] }u);
    let pair = number / ${ kernel[0] * kernel[1] }u;
    let channel = pair / params.inner;
    let source_channel = (channel / params.m) * params.inner + pair % params.inner;
    let gradient_base = params.gradient[0][0] + channel * params.gradient[0][2];
    let source_base = params.source[0][0] + source_channel * params.source[0][2];
    let pixels = params.out_height * params.out_width;
    var sum = 0.0;
    for (var k = local; k < params.k; k += ${ workgroup_invocations }u) {
        let image = k / pixels;
        let out_y = (k % pixels) / params.out_width;
        let out_x = k % params.out_width;
        let y = i32(out_y) * ${ stride[0] } - params.pad_top + ky * ${ dilation[0] };
        let x = i32(out_x) * ${ stride[1] } - params.pad_left + kx * ${ dilation[1] };
        if (y >= 0 && x >= 0 && y < params.source_height && x < params.source_width) {
            let left = gradient_value(gradient_base + image * params.gradient[0][1]
                + out_y * params.gradient[0][3] + out_x * params.gradient[1][0]);
            sum += left * source_value(source_base + image * params.source[0][1]
                + u32(y) * params.source[0][3] + u32(x) * params.source[1][0]);
        }
    }
    let total = tree_sum(local, sum);
    if (local == 0u) {
        result[number] = total;
    }
}
