// Where the largest (or smallest) element of each line lies: the first of equals, and NaN before
// all.  `lanes` invocations share a line.

${ header }
# if lanes > 1
var<workgroup> best: array<vec2<u32>, ${ workgroup_invocations }>;
# endif

fn key(at: u32) -> u32 {
    let x = ${ load };
# if smallest
    let order = ${ order };
    return select(~order, order, order == 0xffffffffu && ${ nan });
# else
    return ${ order };
# endif
}

fn better(a: vec2<u32>, b: vec2<u32>) -> bool {
    return a.x > b.x || (a.x == b.x && a.y < b.y);
}

@compute ${ workgroup }
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = lam_workgroup(group, groups) * ${ workgroup_invocations }u + local;
    let line = number / ${ lanes }u;
    let lane = number % ${ lanes }u;
    let start = params.offset + line / params.inner * params.axis * params.inner + line % params.inner;
    var found = vec2<u32>(0u, 0xffffffffu);
    if (line < params.lines) {
        for (var i = lane; i < params.axis; i += ${ lanes }u) {
            let candidate = vec2<u32>(key(start + i * params.inner), i);
            if (better(candidate, found)) {
                found = candidate;
            }
        }
    }
# if lanes > 1
    best[local] = found;
    for (var step = ${ lanes // 2 }u; step > 0u; step = step / 2u) {
        workgroupBarrier();
        if (lane < step && better(best[local + step], best[local])) {
            best[local] = best[local + step];
        }
    }
    found = best[local];
# endif
    if (line < params.lines && lane == 0u) {
        output[line] = vec2<u32>(found.y, 0u);
    }
}
