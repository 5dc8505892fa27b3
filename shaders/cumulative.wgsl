// Running sums of lines: an invocation goes through a short line by itself, a workgroup shares a
// long one, piece by piece.

${ header }
fn plus(sum: ${ value }, x: ${ value }) -> ${ value } {
    return ${ plus };
}

fn place(line: u32, i: u32) -> u32 {
    let row = ${ "params.axis - 1u - i" if reverse else "i" };
    return (line / params.inner * params.axis + row) * params.inner + line % params.inner;
}

# if shared
var<workgroup> sums: array<${ value }, ${ workgroup_invocations }>;
# endif

@compute ${ workgroup }
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    var sum = ${ zero };
# if shared
    let line = lam_workgroup(group, groups);
    if (line >= params.lines) {
        return;
    }
    for (var first = 0u; first < params.axis; first += ${ workgroup_invocations }u) {
        let i = first + local;
        let at = place(line, min(i, params.axis - 1u));
        let own = input[params.offset + at];
        workgroupBarrier();
        sums[local] = own;
        for (var step = 1u; step < ${ workgroup_invocations }u; step = step * 2u) {
            workgroupBarrier();
            var before = ${ zero };
            if (local >= step) {
                before = sums[local - step];
            }
            workgroupBarrier();
            sums[local] = plus(before, sums[local]);
        }
        workgroupBarrier();
        if (i < params.axis) {
# if exclusive
            var before = ${ zero };
            if (local > 0u) {
                before = sums[local - 1u];
            }
            output[at] = plus(sum, before);
# else
            output[at] = plus(sum, sums[local]);
# endif
        }
        sum = plus(sum, sums[${ workgroup_invocations - 1 }u]);
    }
# else
    let line = lam_workgroup(group, groups) * ${ workgroup_invocations }u + local;
    if (line >= params.lines) {
        return;
    }
    for (var i = 0u; i < params.axis; i++) {
        let at = place(line, i);
        let own = input[params.offset + at];
# if exclusive
        output[at] = sum;
        sum = plus(sum, own);
# else
        sum = plus(sum, own);
        output[at] = sum;
# endif
    }
# endif
}
