// The gradient of grid_sample by the grid: an invocation sums one position over all channels.

${ header }
# include "common/grid_taps"

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
    let batch = index / params.positions;
    let start = params.grid_offset + index * ${ rank }u;
# for axis in range(rank)
    var taps${ axis } = locate(grid[start + ${ rank - 1 - axis }u], params.size${ axis });
    var sum${ axis } = 0.0;
# endfor
    for (var channel = 0u; channel < params.channels; channel++) {
        let plane = batch * params.channels + channel;
        let gradient = g[params.g_offset + plane * params.positions + index % params.positions];
# for axis in range(rank)
        for (var i${ axis } = 0u; i${ axis } < TAPS; i${ axis }++) {
            let place${ axis } = taps${ axis }.place[i${ axis }];
            if (place${ axis } < 0) {
                continue;
            }
            let weight${ axis } = taps${ axis }.weight[i${ axis }];
            let slope${ axis } = taps${ axis }.slope[i${ axis }];
# if axis == 0
            let row0 = u32(place0);
# else
            let row${ axis } = row${ axis - 1 } * params.size${ axis } + u32(place${ axis });
# endif
# endfor
            let value = gradient * input[params.offset + plane * params.plane + row${ rank - 1 }];
# for axis in range(rank)
            sum${ axis } += value#{ for other in range(rank) }# * #{ if other == axis }#slope#{ else }#weight#{ endif }#${ other }#{ endfor }#;
# endfor
# for axis in range(rank)
        }
# endfor
    }
# for axis in range(rank)
    output[index * ${ rank }u + ${ rank - 1 - axis }u] = sum${ axis };
# endfor
}
