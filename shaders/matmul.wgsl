// result[.., m, n] = sum over k of a[.., m, k] b[.., k, n], any strides.

${ header }
${ finish }
var<private> batch: u32;
var<private> a_base: u32;
var<private> b_base: u32;
# for axis in range(batch_rank)
var<private> batch${ axis }: u32;
# endfor

# macro param(name, i)
params.${ name }[${ i // 4 }][${ i % 4 }]
# endmacro
fn begin(number: u32) {
    batch = number;
    a_base = ${ param("a", 0)|trim };
    b_base = ${ param("b", 0)|trim };
    var rest = number;
# for back in range(batch_rank)
# set axis = batch_rank - 1 - back
    batch${ axis } = rest % ${ param("batch_dims", axis)|trim };
    rest = rest / ${ param("batch_dims", axis)|trim };
    a_base += batch${ axis } * ${ param("a", 1 + axis)|trim };
    b_base += batch${ axis } * ${ param("b", 1 + axis)|trim };
# endfor
}

fn prepare_a(slot: u32, m: u32) {}

fn prepare_b(slot: u32, n: u32) {}

fn load_a(slot: u32, m: u32, k: u32) -> vec4<${ number }> {
    if (m >= params.m || k >= params.k) {
        return vec4<${ number }>();
    }
# if a.quad
    let quad = a[(a_base + m * ${ param("a", 1 + batch_rank)|trim } + k) / 4u];
    return vec4<${ number }>(${ a.lanes|join(", ") });
# else
    var four = vec4<${ number }>();
    let start = a_base + m * ${ param("a", 1 + batch_rank)|trim };
# for lane in range(4)
    if (k + ${ lane }u < params.k) {
        let at = start + (k + ${ lane }u) * ${ param("a", 2 + batch_rank)|trim };
        four.${ ["x", "y", "z", "w"][lane] } = ${ a.load };
    }
# endfor
    return four;
# endif
}

fn load_b(slot: u32, k: u32, n: u32) -> vec4<${ number }> {
    if (k >= params.k || n >= params.n) {
        return vec4<${ number }>();
    }
# if b.quad
    let quad = b[(b_base + k * ${ param("b", 1 + batch_rank)|trim } + n) / 4u];
    return vec4<${ number }>(${ b.lanes|join(", ") });
# else
    var four = vec4<${ number }>();
    let start = b_base + k * ${ param("b", 1 + batch_rank)|trim };
# for lane in range(4)
    if (n + ${ lane }u < params.n) {
        let at = start + (n + ${ lane }u) * ${ param("b", 2 + batch_rank)|trim };
        four.${ ["x", "y", "z", "w"][lane] } = ${ b.load };
    }
# endfor
    return four;
# endif
}

fn store(m: u32, n: u32, sums: vec4<${ number }>) {
    if (m >= params.m || n >= params.n) {
        return;
    }
# if split
    let index = ((part * params.batch + batch) * params.m + m) * params.n + n;
# if out_quad
    result[index / 4u] = sums;
# else
# for lane in range(4)
    if (n + ${ lane }u < params.n) {
        result[index + ${ lane }u] = sums[${ lane }];
    }
# endfor
# endif
# else
    let index = (batch * params.m + m) * params.n + n;
# macro place(column)
array<u32, ${ batch_rank + 2 }>(#{ for axis in range(batch_rank) }#batch${ axis }, #{ endfor }#m, ${ column })
# endmacro
# if out_quad
    result[index / 4u] = vec4<${ out_value }>(
# for lane in range(4)
        finish(sums[${ lane }], index + ${ lane }u, ${ place("n + " ~ lane ~ "u")|trim }),
# endfor
    );
# else
# for lane in range(4)
    if (n + ${ lane }u < params.n) {
        result[index + ${ lane }u] = finish(sums[${ lane }], index + ${ lane }u, ${ place("n + " ~ lane ~ "u")|trim });
    }
# endfor
# endif
# endif
}

# include "gemm"
