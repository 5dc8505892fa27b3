// Average pooling: each invocation computes the mean of one window.

${ header }
# include "window_share"

@compute ${ workgroup }
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = lam_workgroup(group, groups) * ${ workgroup_invocations }u + local;
    if (number >= params.size) {
        return;
    }
# include "window_first"
    let base = params.offset + plane * u32(params.height * params.width);
    var sum = 0.0;
    for (var ky = 0; ky < params.kernel_y; ky++) {
        let y = first_y + ky * params.dilation_y;
        if (y < 0 || y >= params.height) {
            continue;
        }
        for (var kx = 0; kx < params.kernel_x; kx++) {
            let x = first_x + kx * params.dilation_x;
            if (x >= 0 && x < params.width) {
                sum += source[base + u32(y * params.width + x)];
            }
        }
    }
    result[number] = sum * window_share(out_y, out_x);
}
