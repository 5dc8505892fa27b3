// Combines what `lanes` invocations hold, by halves; every one of them gets the whole.  Called by
// all of a workgroup, once.
fn tree_fold(local: u32, lane: u32, mine: ${ state }) -> ${ state } {
    tree[local] = mine;
    workgroupBarrier();
    for (var half = ${ lanes // 2 }u; half > 0u; half = half / 2u) {
        if (lane < half) {
            tree[local] = combine(tree[local], tree[local + half * ${ 1 if along else columns }u]);
        }
        workgroupBarrier();
    }
    return tree[local - lane * ${ 1 if along else columns }u];
}
