// The loop of every tiled product, included by it.  Each workgroup computes a tile of one result;
// each invocation ${ tile.rows } rows of ${ tile.quads } vec4s in registers, fed through workgroup memory.
//
// The including kernel defines:
//   begin(batch)                 sets what depends on the batch alone
//   prepare_a(slot, m)           what depends on the row or column that a slot loads
//   prepare_b(slot, n)
//   load_a(slot, m, k) -> vec4   four terms of the sum from k on, of row m; 0 outside
//   load_b(slot, k, n) -> vec4   four columns from n on, of term k; 0 outside
//   store(m, n, sums: vec4)      four columns of a row; may lie outside
// `part` is the number of the part of a split sum, `number` the type in which it is summed.

var<workgroup> tile_a: array<vec4<${ number }>, ${ tile.a_quads }>;
var<workgroup> tile_b: array<vec4<${ number }>, ${ tile.b_quads }>;
var<private> part: u32;

@compute ${ workgroup }
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = lam_workgroup(group, groups);
    if (number >= params.workgroups) {
        return;
    }
    let column0 = (number % params.tiles_across) * ${ tile.width }u;
    let above = number / params.tiles_across;
    let row0 = (above % params.tiles_down) * ${ tile.height }u;
    let outer = above / params.tiles_down;
    part = outer / params.batch;
    begin(outer % params.batch);
    let k_end = min(params.k, (part + 1u) * params.chunk);
    let across = local % ${ tile.across }u;
    let down = local / ${ tile.across }u;

# for slot in range(tile.a_slots)
    let a_slot${ slot } = local + ${ slot * tile.invocations }u;
# if tile.a_along_k
    let a_m${ slot } = a_slot${ slot } / ${ tile.depth // 4 }u;
    let a_k${ slot } = a_slot${ slot } % ${ tile.depth // 4 }u;
# else
    let a_m${ slot } = a_slot${ slot } % ${ tile.height }u;
    let a_k${ slot } = a_slot${ slot } / ${ tile.height }u;
# endif
    prepare_a(${ slot }u, row0 + a_m${ slot });
# endfor
# for slot in range(tile.b_slots)
    let b_slot${ slot } = local + ${ slot * tile.invocations }u;
# if tile.b_along_k
    let b_k${ slot } = b_slot${ slot } % ${ tile.depth }u;
    let b_n${ slot } = b_slot${ slot } / ${ tile.depth }u;
# else
    let b_k${ slot } = b_slot${ slot } / ${ tile.width // 4 }u;
    let b_n${ slot } = b_slot${ slot } % ${ tile.width // 4 }u;
# endif
    prepare_b(${ slot }u, column0 + 4u * b_n${ slot });
# endfor

# for row in range(tile.rows)
# for quad in range(tile.quads)
    var sum${ row }_${ quad } = vec4<${ number }>();
# endfor
# endfor
    for (var k0 = part * params.chunk; k0 < k_end; k0 += ${ tile.depth }u) {
# for slot in range(tile.a_slots)
# if tile.a_quads % tile.invocations == 0
        tile_a[a_m${ slot } * ${ tile.depth // 4 }u + a_k${ slot }] = load_a(${ slot }u, row0 + a_m${ slot }, k0 + 4u * a_k${ slot });
# else
        if (a_slot${ slot } < ${ tile.a_quads }u) {
            tile_a[a_m${ slot } * ${ tile.depth // 4 }u + a_k${ slot }] = load_a(${ slot }u, row0 + a_m${ slot }, k0 + 4u * a_k${ slot });
        }
# endif
# endfor
# for slot in range(tile.b_slots)
# if tile.b_quads % tile.invocations == 0
        tile_b[b_k${ slot } * ${ tile.width // 4 }u + b_n${ slot }] = load_b(${ slot }u, k0 + b_k${ slot }, column0 + 4u * b_n${ slot });
# else
        if (b_slot${ slot } < ${ tile.b_quads }u) {
            tile_b[b_k${ slot } * ${ tile.width // 4 }u + b_n${ slot }] = load_b(${ slot }u, k0 + b_k${ slot }, column0 + 4u * b_n${ slot });
        }
# endif
# endfor
        workgroupBarrier();
        for (var k = 0u; k < ${ tile.depth // 4 }u; k++) {
# for quad in range(tile.quads)
# for step in range(4)
            let b${ step }_${ quad } = tile_b[(4u * k + ${ step }u) * ${ tile.width // 4 }u + across + ${ quad * tile.across }u];
# endfor
# endfor
# for row in range(tile.rows)
            let a${ row } = tile_a[(down * ${ tile.rows }u + ${ row }u) * ${ tile.depth // 4 }u + k];
# for quad in range(tile.quads)
            sum${ row }_${ quad } += a${ row }.x * b0_${ quad };
            sum${ row }_${ quad } += a${ row }.y * b1_${ quad };
            sum${ row }_${ quad } += a${ row }.z * b2_${ quad };
            sum${ row }_${ quad } += a${ row }.w * b3_${ quad };
# endfor
# endfor
        }
        workgroupBarrier();
    }
# for row in range(tile.rows)
# for quad in range(tile.quads)
    store(row0 + down * ${ tile.rows }u + ${ row }u, column0 + 4u * (across + ${ quad * tile.across }u), sum${ row }_${ quad });
# endfor
# endfor
}
