// Four neighbouring elements of the output to an invocation; `element(index)` computes each.
@compute ${ workgroup }
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let quad = lam_workgroup(group, groups) * ${ workgroup_invocations }u + local;
    let index = quad * 4u;
    if (index >= params.size) {
        return;
    }
    let last = params.size - 1u;
    let lane0 = element(index);
    let lane1 = element(min(index + 1u, last));
    let lane2 = element(min(index + 2u, last));
    let lane3 = element(min(index + 3u, last));
    ${ store }
}
