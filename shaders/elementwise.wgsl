// A fused elementwise chain; each invocation computes four neighbouring elements.

${ header }
struct Element {
# for output in outputs
    out${ loop.index0 }: ${ output.value },
# endfor
}

fn element(
    index: u32,
# for input in inputs
    in${ loop.index0 }: ${ input.value },
# endfor
) -> Element {
# for output in outputs
    var out${ loop.index0 }: ${ output.value };
# endfor
    ${ body }
    return Element(
# for output in outputs
        out${ loop.index0 },
# endfor
    );
}

# for input in inputs
# set j = loop.index0
# if input.mode == "quad"
fn quad${ j }(at: u32) -> array<${ input.value }, 4> {
    let quad = ${ input.name }[at / 4u];
    return array<${ input.value }, 4>(
        ${ input.lanes[0] }, ${ input.lanes[1] }, ${ input.lanes[2] }, ${ input.lanes[3] });
}
# else
fn load${ j }(at: u32) -> ${ input.value } {
    return ${ input.load };
}
# endif

// Where element `index` of the output lies in this input.
fn place${ j }(index: u32) -> u32 {
# if input.mode == "scalar"
    return params.offsets[${ j // 4 }][${ j % 4 }];
# elif input.flat
    return params.offsets[${ j // 4 }][${ j % 4 }] + index;
# else
    var at = params.offsets[${ j // 4 }][${ j % 4 }];
    var rest = index;
# for back in range(rank - 1)
# set axis = rank - 1 - back
    at += (rest % params.dims[${ axis // 4 }][${ axis % 4 }]) * params.strides${ j }[${ axis // 4 }][${ axis % 4 }];
    rest = rest / params.dims[${ axis // 4 }][${ axis % 4 }];
# endfor
    return at + rest * params.strides${ j }[0][0];
# endif
}

# endfor
@compute ${ workgroup }
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let quad = lam_workgroup(group, groups) * ${ workgroup_invocations }u + local;
    let index = quad * 4u;
    if (index >= params.size) {
        return;
    }
# for lane in range(4)
    let index${ lane } = min(index + ${ lane }u, params.size - 1u);
# endfor
# for input in inputs
# set j = loop.index0
# if input.mode == "scalar"
    let whole${ j } = load${ j }(place${ j }(index));
# elif input.mode == "quad"
    let whole${ j } = quad${ j }(place${ j }(index));
# elif input.mode == "row"
    let start${ j } = place${ j }(index);
    let step${ j } = ${ "1u" if input.flat else "params.strides%d[%d][%d]"|format(j, (rank - 1) // 4, (rank - 1) % 4) };
# endif
# endfor
# for lane in range(4)
    let lane${ lane } = element(
        index${ lane },
# for input in inputs
# set j = loop.index0
# if input.mode == "scalar"
        whole${ j },
# elif input.mode == "quad"
        whole${ j }[${ lane }],
# elif input.mode == "row"
        load${ j }(start${ j } + (index${ lane } - index) * step${ j }),
# else
        load${ j }(place${ j }(index${ lane })),
# endif
# endfor
    );
# endfor
# for output in outputs
    ${ output.store }
# endfor
}
