// Images (batch, channels, axes) read where grids (batch, positions, axes) say, the last axis'
// coordinate first.

${ header }
# include "common/grid_taps"

fn element(index: u32) -> ${ value } {
    let position = index % params.positions;
    let plane = index / params.positions;
    let start = params.grid_offset + (plane / params.channels * params.positions + position) * ${ rank }u;
# for axis in range(rank)
    var taps${ axis } = locate(grid[start + ${ rank - 1 - axis }u], params.size${ axis });
# endfor
    var sum = ${ value }();
# for axis in range(rank)
    for (var i${ axis } = 0u; i${ axis } < TAPS; i${ axis }++) {
        let place${ axis } = taps${ axis }.place[i${ axis }];
        if (place${ axis } < 0) {
            continue;
        }
# if axis == 0
        let row0 = u32(place0);
        let weight0 = taps0.weight[i0];
# else
        let row${ axis } = row${ axis - 1 } * params.size${ axis } + u32(place${ axis });
        let weight${ axis } = weight${ axis - 1 } * taps${ axis }.weight[i${ axis }];
# endif
# endfor
        let at = params.offset + plane * params.plane + row${ rank - 1 };
# if mode == "nearest"
        sum = ${ load };
# else
        sum += weight${ rank - 1 } * ${ load };
# endif
# for axis in range(rank)
    }
# endfor
    return sum;
}

# include "common/quads"
