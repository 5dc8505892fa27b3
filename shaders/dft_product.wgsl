// Points times those of one line, with real and imaginary parts exchanged: what an inverse
// transform begins with.

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
    points[index] = lam_rotated(points[index], factors[index / params.lines]).yx;
}
