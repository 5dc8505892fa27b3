// Slices summed where their indices say: g (outer, count, inner), indices (count), output
// (outer, axis, inner).  A workgroup owns a tile of one output slice: it looks through the indices
// together, marks the hits as bits, and adds them in order, so the sum is always the same.

${ header }
# include "common/fetch_index"

fn load(at: u32) -> ${ value } {
    return ${ load };
}

var<workgroup> hits: array<atomic<u32>, ${ workgroup_invocations // 32 }>;

@compute ${ workgroup }
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let unit = lam_workgroup(group, groups);
    if (unit >= params.units) {
        return;
    }
    let column = unit % params.tiles * ${ workgroup_invocations }u + local;
    let row = unit / params.tiles;
    let place = row % params.axis;
    let outer = row / params.axis;
    var sum = ${ zero };
    for (var first = 0u; first < params.count; first += ${ workgroup_invocations }u) {
        if (local < ${ workgroup_invocations // 32 }u) {
            atomicStore(&hits[local], 0u);
        }
        workgroupBarrier();
        let k = first + local;
        if (k < params.count && fetch_index(params.index_offset + k, params.axis) == place) {
            atomicOr(&hits[local / 32u], 1u << (local % 32u));
        }
        workgroupBarrier();
        for (var word = 0u; word < ${ workgroup_invocations // 32 }u; word++) {
            var bits = atomicLoad(&hits[word]);
            while (bits != 0u) {
                let hit = first + word * 32u + firstTrailingBit(bits);
                bits = bits & (bits - 1u);
                if (column < params.inner) {
                    let at = (outer * params.count + hit) * params.inner + column;
                    sum = ${ add };
                }
            }
        }
        workgroupBarrier();
    }
    if (column < params.inner) {
        output[row * params.inner + column] = sum;
    }
}
