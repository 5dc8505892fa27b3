// The gradient of average pooling: each input adds up its share in the windows that count it.

${ header }
# include "window_share"

# include "window_covering"

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
    let pixels = u32(params.height * params.width);
    let pixel = i32(number % pixels);
    let plane = number / pixels;
    let y = pixel / params.width;
    let x = pixel % params.width;
    let reach_y = (params.kernel_y - 1) * params.dilation_y + 1;
    let reach_x = (params.kernel_x - 1) * params.dilation_x + 1;
    let last_y = last_covering(y, params.pad_top, params.stride_y, params.out_height);
    let last_x = last_covering(x, params.pad_left, params.stride_x, params.out_width);
    let from_x = first_covering(x, params.pad_left, reach_x, params.stride_x);
    var sum = 0.0;
    for (var oy = first_covering(y, params.pad_top, reach_y, params.stride_y); oy <= last_y; oy++) {
        let tap_y = y + params.pad_top - i32(oy * params.stride_y);
        if (tap_y % params.dilation_y != 0) {
            continue;
        }
        for (var ox = from_x; ox <= last_x; ox++) {
            let tap_x = x + params.pad_left - i32(ox * params.stride_x);
            if (tap_x % params.dilation_x == 0) {
                let at = (plane * params.out_height + oy) * params.out_width + ox;
                sum += gradient[params.offset + at] * window_share(oy, ox);
            }
        }
    }
    result[number] = sum;
}
