// The gradient of grid_sample by its input.  A workgroup owns a tile of a plane's elements in four
// channels: it looks through the positions together, marks those that read the tile as bits, and
// adds them in order, so the sum is always the same.

${ header }
# include "common/grid_taps"

const AXES = ${ rank }u;
const WIDTH = ${ workgroup_invocations }u;

var<workgroup> hits: array<atomic<u32>, ${ workgroup_invocations // 32 }>;
// Of each position at hand, by tap and axis.
var<workgroup> places: array<i32, ${ workgroup_invocations * rank * taps }>;
var<workgroup> weights: array<f32, ${ workgroup_invocations * rank * taps }>;

@compute ${ workgroup }
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let unit = lam_workgroup(group, groups);
    if (unit >= params.size) {
        return;
    }
    let tile = unit % params.tiles;
    let first_channel = unit / params.tiles % params.chunks * 4u;
    let batch = unit / params.tiles / params.chunks;
    let own = tile * WIDTH + local;
    // Where the element lies on each axis.
# if rank == 3
    var mine = array<u32, AXES>(
        own / (params.size1 * params.size2),
        own / params.size2 % params.size1,
        own % params.size2,
    );
# elif rank == 2
    var mine = array<u32, AXES>(own / params.size1, own % params.size1);
# else
    var mine = array<u32, AXES>(own);
# endif
    var sums: array<f32, 4>;
    for (var first = 0u; first < params.positions; first += WIDTH) {
        if (local < WIDTH / 32u) {
            atomicStore(&hits[local], 0u);
        }
        workgroupBarrier();
        let position = first + local;
        if (position < params.positions) {
            let start = params.grid_offset + (batch * params.positions + position) * AXES;
# for axis in range(rank)
            var taps${ axis } = locate(grid[start + ${ rank - 1 - axis }u], params.size${ axis });
            for (var tap = 0u; tap < TAPS; tap++) {
                places[(${ axis }u * TAPS + tap) * WIDTH + local] = taps${ axis }.place[tap];
                weights[(${ axis }u * TAPS + tap) * WIDTH + local] = taps${ axis }.weight[tap];
            }
# endfor
            var hit = false;
# for axis in range(rank)
            for (var i${ axis } = 0u; i${ axis } < TAPS; i${ axis }++) {
                let place${ axis } = taps${ axis }.place[i${ axis }];
                if (place${ axis } < 0) {
                    continue;
                }
# if axis == 0
                let row0 = u32(place0);
# else
                let row${ axis } = row${ axis - 1 } * params.size${ axis } + u32(place${ axis });
# endif
# endfor
                hit = hit || row${ rank - 1 } / WIDTH == tile;
# for axis in range(rank)
            }
# endfor
            if (hit) {
                atomicOr(&hits[local / 32u], 1u << (local % 32u));
            }
        }
        workgroupBarrier();
        for (var word = 0u; word < WIDTH / 32u; word++) {
            var bits = atomicLoad(&hits[word]);
            while (bits != 0u) {
                let hit = word * 32u + firstTrailingBit(bits);
                bits = bits & (bits - 1u);
                var weight = 1.0;
                var reads = own < params.plane;
                for (var axis = 0u; axis < AXES; axis++) {
                    var along = 0.0;
                    var meets = false;
                    for (var tap = 0u; tap < TAPS; tap++) {
                        let at = (axis * TAPS + tap) * WIDTH + hit;
                        if (places[at] == i32(mine[axis])) {
                            along += weights[at];
                            meets = true;
                        }
                    }
                    weight *= along;
                    reads = reads && meets;
                }
                if (reads) {
                    for (var i = 0u; i < 4u && first_channel + i < params.channels; i++) {
                        let plane = batch * params.channels + first_channel + i;
                        sums[i] += weight * g[params.g_offset + plane * params.positions + first + hit];
                    }
                }
            }
        }
        workgroupBarrier();
    }
    if (own < params.plane) {
        for (var i = 0u; i < 4u && first_channel + i < params.channels; i++) {
            output[(batch * params.channels + first_channel + i) * params.plane + own] = sums[i];
        }
    }
}
