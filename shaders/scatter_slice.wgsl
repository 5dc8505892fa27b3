// One value everywhere, but for the region of a slice, which holds the input.

${ header }
# macro at(list, axis)
params.${ list }[${ axis // 4 }][${ axis % 4 }]
# endmacro
fn element(index: u32) -> ${ value } {
    var rest = index;
    var at = params.offset;
    var inside = true;
# for back in range(rank)
# set axis = rank - 1 - back
    // Wraps to something large in front of the region.
    let from${ axis } = rest % ${ at("dims", axis) } - ${ at("lows", axis) };
    rest = rest / ${ at("dims", axis) };
# if stepped
    let place${ axis } = from${ axis } / ${ at("steps", axis) };
    inside = inside && place${ axis } * ${ at("steps", axis) } == from${ axis };
# else
    let place${ axis } = from${ axis };
# endif
    inside = inside && place${ axis } < ${ at("counts", axis) };
    at += place${ axis } * ${ at("strides", axis) };
# endfor
    if (!inside) {
        return ${ fill };
    }
    return ${ load };
}

# include "common/quads"
