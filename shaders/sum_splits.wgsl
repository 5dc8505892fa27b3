// The end of a split sum: adds its parts in order and finishes.

${ header }
${ finish }
@compute ${ workgroup }
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = lam_workgroup(group, groups) * ${ workgroup_invocations }u + local;
    if (index >= params.size) {
        return;
    }
    var sum = ${ number }(0);
    for (var part = 0u; part < params.splits; part++) {
        sum += parts[part * params.size + index];
    }
    var c: array<u32, ${ rank }>;
    var rest = index;
# for back in range(rank)
# set axis = rank - 1 - back
    c[${ axis }] = rest % params.dims[${ axis // 4 }][${ axis % 4 }];
    rest = rest / params.dims[${ axis // 4 }][${ axis % 4 }];
# endfor
    result[index] = finish(sum, index, c);
}
