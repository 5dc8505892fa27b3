// Points to be transformed, point by point, lines side by side; 0 where there are none.  With
# if kernel
// `kernel`: exp(pi i j j / n) / points for every j from -(n - 1) to n - 1, going around.
# else
// `chirp`: times exp(-pi i j j / n).
# endif

${ header }
@compute ${ workgroup }
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = lam_workgroup(group, groups) * ${ workgroup_invocations }u + local;
    if (index >= params.points * params.lines) {
        return;
    }
    var value = vec2<f32>(0.0, 0.0);
# if kernel
    let j = min(index, params.points - index);
    if (j < params.length) {
        let turn = lam_turn(lam_square_modulo(j, 2u * params.length), 2u * params.length);
        value = turn / f32(params.points);
    }
# else
    let j = index / params.lines;
    let line = index % params.lines;
    if (j < params.taken) {
        let row = line / params.inner * params.input + j;
        let at = params.offset + (row * params.inner + line % params.inner) * ${ components }u;
# if components == 2
        value = vec2<f32>(input[at], input[at + 1u]);
# else
        value.x = input[at];
# endif
# if inverse
        value = value.yx;
# endif
# if chirp
        value = lam_rotated_back(value, lam_turn(lam_square_modulo(j, 2u * params.length), 2u * params.length));
# endif
    }
# endif
    points[index] = value;
}
