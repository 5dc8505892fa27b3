// The gradient of a convolution's weights as an implicit product: rows are output channels, columns
// (input channel, tap) pairs, terms the output's pixels over all images.

${ header }
const taps = ${ kernel[0] * kernel[1] }u;

var<private> channel_group: u32;
// Of the four taps of each slot: where they fall for pixel 0, and their channel's place.
var<private> tap_y: array<vec4<i32>, ${ tile.b_slots }>;
var<private> tap_x: array<vec4<i32>, ${ tile.b_slots }>;
var<private> tap_base: array<vec4<u32>, ${ tile.b_slots }>;

fn begin(number: u32) {
    channel_group = number;
}

fn prepare_a(slot: u32, m: u32) {}

fn prepare_b(slot: u32, n: u32) {
    let first = channel_group * (params.n / taps);
# for lane in range(4)
# set of = ["x", "y", "z", "w"][lane]
    {
        let column = min(n + ${ lane }u, params.n - 1u);
        let tap = column % taps;
        let y = i32(tap / ${ kernel[1] }u) * ${ dilation[0] } - params.pad_top;
        tap_y[slot].${ of } = select(-1073741824, y, n + ${ lane }u < params.n);
        tap_x[slot].${ of } = i32(tap % ${ kernel[1] }u) * ${ dilation[1] } - params.pad_left;
        tap_base[slot].${ of } = params.source[0][0] + (first + column / taps) * params.source[0][2];
    }
# endfor
}

fn load_a(slot: u32, m: u32, k: u32) -> vec4<${ number }> {
    if (m >= params.m || k >= params.k) {
        return vec4<${ number }>();
    }
    let pixels = params.out_height * params.out_width;
    let base = params.gradient[0][0] + (channel_group * params.m + m) * params.gradient[0][2];
# if gradient.quad
    let quad = gradient[(base + (k / pixels) * params.gradient[0][1] + k % pixels) / 4u];
    return vec4<${ number }>(${ gradient.lanes|join(", ") });
# else
    var four = vec4<${ number }>();
# for lane in range(4)
    if (k + ${ lane }u < params.k) {
        let rest = (k + ${ lane }u) % pixels;
        let at = base + ((k + ${ lane }u) / pixels) * params.gradient[0][1]
            + (rest / params.out_width) * params.gradient[0][3] + (rest % params.out_width) * params.gradient[1][0];
        four.${ ["x", "y", "z", "w"][lane] } = ${ gradient.load };
    }
# endfor
    return four;
# endif
}

fn source_value(at: u32) -> ${ number } {
    return ${ source.load };
}

fn load_b(slot: u32, k: u32, n: u32) -> vec4<${ number }> {
    if (k >= params.k) {
        return vec4<${ number }>();
    }
    let pixels = params.out_height * params.out_width;
    let rest = k % pixels;
    let y = tap_y[slot] + vec4<i32>(i32(rest / params.out_width) * ${ stride[0] });
    let x = tap_x[slot] + vec4<i32>(i32(rest % params.out_width) * ${ stride[1] });
    let inside = y >= vec4<i32>() & x >= vec4<i32>()
        & y < vec4<i32>(params.source_height) & x < vec4<i32>(params.source_width);
    let places = tap_base[slot] + vec4<u32>((k / pixels) * params.source[0][1])
        + vec4<u32>(y) * params.source[0][3] + vec4<u32>(x) * params.source[1][0];
    let at = select(vec4<u32>(params.source[0][0]), places, inside);
    let values = vec4<${ number }>(source_value(at.x), source_value(at.y), source_value(at.z), source_value(at.w));
    return select(vec4<${ number }>(), values, inside);
}

fn store(m: u32, n: u32, sums: vec4<${ number }>) {
    if (m >= params.m) {
        return;
    }
    let index = ((part * params.batch + channel_group) * params.m + m) * params.n + n;
# for lane in range(4)
    if (n + ${ lane }u < params.n) {
        result[index + ${ lane }u] = sums[${ lane }];
    }
# endfor
}

# include "gemm"
