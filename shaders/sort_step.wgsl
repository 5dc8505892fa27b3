// One step of a bitonic merge: pairs `stride` apart are exchanged where they are out of order.

${ header }
@compute ${ workgroup }
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let t = lam_workgroup(group, groups) * ${ workgroup_invocations }u + local;
    if (t >= params.pairs) {
        return;
    }
    let i = 2u * t - (t & (params.stride - 1u));
    // A line is a power of two long, so its start does not matter here.
    let rising = ((i & (params.length - 1u)) & params.span) == 0u;
    let a = scratch[i];
    let b = scratch[i + params.stride];
    if (lam_after(a, b) == rising) {
        scratch[i] = b;
        scratch[i + params.stride] = a;
    }
}
