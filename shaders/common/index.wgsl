// Indices.

// The number of this workgroup, where more than 65,535 were folded into a second dimension.
fn lam_workgroup(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.x + group.y * groups.x;
}
