// Convolution as an implicit product: rows are channels of the result, columns its pixels over all
// images, terms the (source channel, tap) pairs; the source is gathered as it is read.
// Backward, the result is the input's gradient and the source the output's.

${ header }
${ finish }
const taps = ${ kernel[0] * kernel[1] }u;

var<private> channel_group: u32;
var<private> source_base: u32;
// Of the four pixels of each slot: where their first tap falls, and their image's place.
var<private> pixel_y: array<vec4<i32>, ${ tile.b_slots }>;
var<private> pixel_x: array<vec4<i32>, ${ tile.b_slots }>;
var<private> pixel_base: array<vec4<u32>, ${ tile.b_slots }>;

fn begin(number: u32) {
    channel_group = number;
    source_base = params.source[0][0] + number * (params.k / taps) * params.source[0][2];
}

fn prepare_a(slot: u32, m: u32) {}

fn prepare_b(slot: u32, n: u32) {
    let pixels = params.out_height * params.out_width;
# for lane in range(4)
# set of = ["x", "y", "z", "w"][lane]
    {
        let pixel = min(n + ${ lane }u, params.n - 1u);
        let inside = n + ${ lane }u < params.n;
        let y = i32((pixel % pixels) / params.out_width);
        let x = i32(pixel % params.out_width);
# if backward
        pixel_y[slot].${ of } = select(-1073741824, y + params.pad_top, inside);
        pixel_x[slot].${ of } = x + params.pad_left;
# else
        pixel_y[slot].${ of } = select(-1073741824, y * ${ stride[0] } - params.pad_top, inside);
        pixel_x[slot].${ of } = x * ${ stride[1] } - params.pad_left;
# endif
        pixel_base[slot].${ of } = source_base + (pixel / pixels) * params.source[0][1];
    }
# endfor
}

fn load_a(slot: u32, m: u32, k: u32) -> vec4<${ number }> {
    if (m >= params.m || k >= params.k) {
        return vec4<${ number }>();
    }
# if weight.quad
    let quad = weight[(params.weight_offset + (channel_group * params.m + m) * params.k + k) / 4u];
    return vec4<${ number }>(${ weight.lanes|join(", ") });
# else
    var four = vec4<${ number }>();
# for lane in range(4)
    if (k + ${ lane }u < params.k) {
        let term = k + ${ lane }u;
# if backward
        let channel = channel_group * (params.k / taps) + term / taps;
        let at = params.weight_offset + (channel * params.m + m) * taps + term % taps;
# else
        let at = params.weight_offset + (channel_group * params.m + m) * params.k + term;
# endif
        four.${ ["x", "y", "z", "w"][lane] } = ${ weight.load };
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
    let tap = k % taps;
    let base = pixel_base[slot] + vec4<u32>((k / taps) * params.source[0][2]);
# if backward
    let from_y = pixel_y[slot] - vec4<i32>(i32(tap / ${ kernel[1] }u) * ${ dilation[0] });
    let from_x = pixel_x[slot] - vec4<i32>(i32(tap % ${ kernel[1] }u) * ${ dilation[1] });
    // Only taps that a stride lands on have an output.
    let y = from_y / ${ stride[0] };
    let x = from_x / ${ stride[1] };
    let on = from_y >= vec4<i32>() & from_x >= vec4<i32>()
        & y * ${ stride[0] } == from_y & x * ${ stride[1] } == from_x;
# else
    let y = pixel_y[slot] + vec4<i32>(i32(tap / ${ kernel[1] }u) * ${ dilation[0] });
    let x = pixel_x[slot] + vec4<i32>(i32(tap % ${ kernel[1] }u) * ${ dilation[1] });
    let on = y >= vec4<i32>() & x >= vec4<i32>();
# endif
    let inside = on & y < vec4<i32>(params.source_height) & x < vec4<i32>(params.source_width);
    let places = base + vec4<u32>(y) * params.source[0][3] + vec4<u32>(x) * params.source[1][0];
    let at = select(vec4<u32>(params.source[0][0]), places, inside);
    let values = vec4<${ number }>(source_value(at.x), source_value(at.y), source_value(at.z), source_value(at.w));
    return select(vec4<${ number }>(), values, inside);
}

fn store(m: u32, n: u32, sums: vec4<${ number }>) {
    if (m >= params.m || n >= params.n) {
        return;
    }
    let pixels = params.out_height * params.out_width;
    let channels = params.batch * params.m;
    let channel = channel_group * params.m + m;
# if split
    let first = part * channels * params.n;
# else
    let first = 0u;
# endif
# macro value(lane)
# if split
sums[${ lane }]
# else
finish(sums[${ lane }], index${ lane }, array<u32, 4>(image${ lane }, channel, rest${ lane } / params.out_width, rest${ lane } % params.out_width))
# endif
# endmacro
# for lane in range(4)
    let image${ lane } = (n + ${ lane }u) / pixels;
    let rest${ lane } = (n + ${ lane }u) % pixels;
    let index${ lane } = first + (image${ lane } * channels + channel) * pixels + rest${ lane };
# endfor
# if out_quad
    result[index0 / 4u] = vec4<${ out_value }>(
# for lane in range(4)
        ${ value(lane)|trim },
# endfor
    );
# else
# for lane in range(4)
    if (n + ${ lane }u < params.n) {
        result[index${ lane }] = ${ value(lane)|trim };
    }
# endfor
# endif
}

# include "gemm"
