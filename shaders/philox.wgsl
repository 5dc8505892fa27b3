// Random values: a Philox 4x32-10 block of four to an invocation.

${ header }

fn philox(counter: vec4<u32>, seed: vec2<u32>) -> vec4<u32> {
    var x = counter;
    var key = seed;
    for (var round = 0u; round < 10u; round++) {
        let first = lam_multiply_wide(0xd2511f53u, x.x);
        let second = lam_multiply_wide(0xcd9e8d57u, x.z);
        x = vec4<u32>(second.y ^ x.y ^ key.x, second.x, first.y ^ x.w ^ key.y, first.x);
        key += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
    }
    return x;
}

fn unit(word: u32) -> f32 {
    return f32(word >> 8u) * 5.9604644775390625e-8;
}

# if normal
// Box and Muller's pair.  The angle is reduced to a quarter turn around a
// whole number of them before it meets pi, which keeps it accurate.
fn pair(first: u32, second: u32) -> vec2<f32> {
    let radius = lam_sqrt(-2.0 * lam_log(f32((first >> 8u) + 1u) * 5.9604644775390625e-8));
    let turns = unit(second) * 4.0;
    let quarter = floor(turns + 0.5);
    let angle = (turns - quarter) * 1.5707963267948966;
    let c = lam_cos_small(angle);
    let s = lam_sin_small(angle);
    let which = u32(quarter) & 3u;
    var turned = vec2<f32>(c, s);
    if (which == 1u) {
        turned = vec2<f32>(-s, c);
    } else if (which == 2u) {
        turned = vec2<f32>(-c, -s);
    } else if (which == 3u) {
        turned = vec2<f32>(s, -c);
    }
    return radius * turned;
}
# endif

@compute ${ workgroup }
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let block = lam_workgroup(group, groups) * ${ workgroup_invocations }u + local;
    if (block * 4u >= params.size) {
        return;
    }
    let at = params.offset;
    let low = state[at + 2u] + block;
    let high = state[at + 3u] + select(0u, 1u, low < block);
    let words = philox(vec4<u32>(low, high, 0u, 0u), vec2<u32>(state[at], state[at + 1u]));
# if normal
    output[block] = vec4<f32>(pair(words.x, words.y), pair(words.z, words.w));
# else
    output[block] = vec4<f32>(unit(words.x), unit(words.y), unit(words.z), unit(words.w));
# endif
}
