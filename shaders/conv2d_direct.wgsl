// Convolution with few channels in a group, depthwise above all: each invocation sums the taps of
// four neighbouring pixels.  Backward as in conv2d.

${ header }
${ finish }
fn source_value(base: u32, y: i32, x: i32) -> ${ number } {
    if (y < 0 || x < 0 || y >= params.source_height || x >= params.source_width) {
        return ${ number }(0);
    }
    let at = base + u32(y) * params.source[0][3] + u32(x) * params.source[1][0];
    return ${ source.load };
}

fn weight_value(at: u32) -> ${ number } {
    return ${ weight.load };
}

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
    let across = (params.out_width + 3u) / 4u;
    let x0 = (number % across) * 4u;
    let y = (number / across) % params.out_height;
    let plane = number / (across * params.out_height);
    let channel = plane % params.channels;
    let image = plane / params.channels;
    let m = channel % params.m;
    let channel_group = channel / params.m;
    var sums = vec4<${ number }>();
    for (var term = 0u; term < params.terms; term++) {
        let source_channel = channel_group * params.terms + term;
        let base = params.source[0][0] + image * params.source[0][1] + source_channel * params.source[0][2];
# if backward
        let first = params.weight_offset + (source_channel * params.m + m) * ${ kernel[0] * kernel[1] }u;
# else
        let first = params.weight_offset + (channel * params.terms + term) * ${ kernel[0] * kernel[1] }u;
# endif
        for (var ky = 0; ky < ${ kernel[0] }; ky++) {
# if backward
            let from_y = i32(y) + params.pad_top - ky * ${ dilation[0] };
            let source_y = from_y / ${ stride[0] };
            if (from_y < 0 || source_y * ${ stride[0] } != from_y) {
                continue;
            }
# else
            let source_y = i32(y) * ${ stride[0] } - params.pad_top + ky * ${ dilation[0] };
# endif
            for (var kx = 0; kx < ${ kernel[1] }; kx++) {
                let scale = weight_value(first + u32(ky * ${ kernel[1] } + kx));
                var values = vec4<${ number }>();
# for lane in range(4)
# set of = ["x", "y", "z", "w"][lane]
# if backward
                let from_x${ lane } = i32(x0) + ${ lane } + params.pad_left - kx * ${ dilation[1] };
                let source_x${ lane } = from_x${ lane } / ${ stride[1] };
                if (from_x${ lane } >= 0 && source_x${ lane } * ${ stride[1] } == from_x${ lane }) {
                    values.${ of } = source_value(base, source_y, source_x${ lane });
                }
# else
                values.${ of } = source_value(base, source_y, (i32(x0) + ${ lane }) * ${ stride[1] } - params.pad_left + kx * ${ dilation[1] });
# endif
# endfor
                sums += scale * values;
            }
        }
    }
    let index = (plane * params.out_height + y) * params.out_width + x0;
# for lane in range(4)
    if (x0 + ${ lane }u < params.out_width) {
        result[index + ${ lane }u] = finish(sums[${ lane }], index + ${ lane }u, array<u32, 4>(image, channel, y, x0 + ${ lane }u));
    }
# endfor
}
