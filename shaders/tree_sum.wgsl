// The sum over a workgroup, valid in invocation 0; called by all of them, in `tree`.
fn tree_sum(local: u32, value: f32) -> f32 {
    tree[local] = value;
    workgroupBarrier();
    for (var half = ${ workgroup_invocations // 2 }u; half > 0u; half = half / 2u) {
        if (local < half) {
            tree[local] += tree[local + half];
        }
        workgroupBarrier();
    }
    return tree[0];
}
