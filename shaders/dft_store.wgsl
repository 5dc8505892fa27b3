// Points of the result, from where they lie side by side.

${ header }
@compute ${ workgroup }
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = lam_workgroup(group, groups) * ${ workgroup_invocations }u + local;
    if (index >= params.output * params.lines) {
        return;
    }
    let column = index % params.inner;
    let k = index / params.inner % params.output;
    let line = index / params.inner / params.output * params.inner + column;
    var value = points[k * params.lines + line];
# if chirp
    // Back from an inverse transform, then times exp(-pi i k k / n).
    value = lam_rotated_back(value.yx, lam_turn(lam_square_modulo(k, 2u * params.length), 2u * params.length));
# endif
# if inverse
    value = value.yx;
# endif
# if components == 2
    output[2u * index] = value.x * params.scale;
    output[2u * index + 1u] = value.y * params.scale;
# else
    output[index] = value.x * params.scale;
# endif
}
