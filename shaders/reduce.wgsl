// A reduction.  The `lanes` invocations of each result of a workgroup take turns along what is
// reduced; a long reduction is cut into parts, which a second dispatch reduces.

${ header }
# if lanes > 1
var<workgroup> tree: array<${ state }, ${ workgroup_invocations }>;

# endif
fn combine(a: ${ state }, b: ${ state }) -> ${ state } {
    return ${ combine };
}

fn load(at: u32) -> ${ state } {
    return ${ load };
}

// Where result `index` begins, and how far from there its element `k` lies.
fn kept_place(index: u32) -> u32 {
    var at = params.offset;
    var rest = index;
# for back in range(kept_rank - 1)
# set axis = kept_rank - 1 - back
    at += (rest % params.kept[${ axis // 4 }][${ axis % 4 }]) * params.kept_strides[${ axis // 4 }][${ axis % 4 }];
    rest = rest / params.kept[${ axis // 4 }][${ axis % 4 }];
# endfor
    return at + rest * params.kept_strides[0][0];
}

fn reduced_place(k: u32) -> u32 {
    var at = 0u;
    var rest = k;
# for back in range(reduced_rank - 1)
# set axis = reduced_rank - 1 - back
    at += (rest % params.reduced[${ axis // 4 }][${ axis % 4 }]) * params.reduced_strides[${ axis // 4 }][${ axis % 4 }];
    rest = rest / params.reduced[${ axis // 4 }][${ axis % 4 }];
# endfor
    return at + rest * params.reduced_strides[0][0];
}

# if lanes > 1
# include "tree_fold"
# endif

@compute ${ workgroup }
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = lam_workgroup(group, groups);
    let part = number / params.tiles;
# include "tile_place"
    let index = (number % params.tiles) * ${ columns }u + column;
    let inside = index < params.size && part < params.parts;
    var total = ${ identity };
    if (inside) {
        let base = kept_place(index);
        let end = min(params.count, (part + 1u) * params.chunk);
        for (var k = part * params.chunk + lane; k < end; k += ${ lanes }u) {
            total = combine(total, load(base + reduced_place(k)));
        }
    }
# if lanes > 1
    total = tree_fold(local, lane, total);
# endif
    if (inside && lane == 0u) {
        let at = part * params.size + index;
# if mean
        total = lam_div(total, params.divisor);
# endif
# if state == "vec2<u32>"
        result[2u * at] = total.x;
        result[2u * at + 1u] = total.y;
# else
        result[at] = total;
# endif
    }
}
