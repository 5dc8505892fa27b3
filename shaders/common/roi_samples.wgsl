// The samples of a region's bins along an axis of `size` elements.
struct Cut {
    start: f32,
    step: f32,
    // Samples of a bin, those outside of the image included.
    count: f32,
    size: f32,
}

fn cut(low: f32, high: f32, bins: u32, size: u32) -> Cut {
    let start = low - params.shift;
    let end = high - params.shift;
    let length = select(end - start, max(end - start, 1.0), params.shift == 0.0);
    var found: Cut;
    found.start = start;
    found.step = length / f32(bins);
    found.size = f32(size);
    found.count = select(max(ceil(found.step), 0.0), f32(params.sampling), params.sampling > 0u);
    if (!finite(start) || !finite(end) || !finite(found.step)) {
        found = Cut(0.0, 0.0, 0.0, found.size);
    }
    return found;
}

// The first and the end of those samples of a bin that may lie in the image: few, however many
// there are.
fn reach(cut: Cut, bin: u32) -> vec2<i32> {
    let apart = cut.step / cut.count;
    let first = cut.start + f32(bin) * cut.step;
    if (cut.count == 0.0) {
        return vec2<i32>(0, 0);
    }
    var low = 0.0;
    var high = cut.count;
    if (apart != 0.0) {
        let ends = vec2<f32>(-1.0 - first, cut.size - first) / apart;
        low = clamp(floor(min(ends.x, ends.y)) - 1.0, 0.0, cut.count);
        high = clamp(ceil(max(ends.x, ends.y)) + 1.0, 0.0, cut.count);
    }
    // What a number of this width cannot count lies nowhere.
    let most = 16777216.0;
    return vec2<i32>(i32(min(low, most)), i32(min(high, most)));
}

// Two neighbouring elements with their weights.
struct Sample {
    inside: bool,
    place: array<u32, 2>,
    weight: array<f32, 2>,
}

fn sample(cut: Cut, bin: u32, number: i32) -> Sample {
    let first = cut.start + f32(bin) * cut.step;
    let at = first + (f32(number) + 0.5) * cut.step / cut.count;
    var found: Sample;
    found.inside = at >= -1.0 && at <= cut.size;
    if (!found.inside) {
        return found;
    }
    let last = u32(cut.size) - 1u;
    let near = max(at, 0.0);
    let low = min(u32(near), last);
    if (low >= last) {
        found.place = array<u32, 2>(last, last);
        found.weight = array<f32, 2>(1.0, 0.0);
        return found;
    }
    let high = near - f32(low);
    found.place = array<u32, 2>(low, low + 1u);
    found.weight = array<f32, 2>(1.0 - high, high);
    return found;
}
