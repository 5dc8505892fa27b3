// Index number `at`, below 0 from the end.  One out of range sets the status word and is clamped.
fn fetch_index(at: u32, size: u32) -> u32 {
    let raw = ${ index };
# if wide
    let value = bitcast<i32>(raw.x);
    let fits = raw.y == select(0u, 0xffffffffu, value < 0);
    let negative = (raw.y >> 31u) == 1u;
# else
    let value = raw;
    let fits = true;
    let negative = value < 0;
# endif
    let wrapped = select(value, value + i32(size), value < 0);
    if (fits && wrapped >= 0 && wrapped < i32(size)) {
        return u32(wrapped);
    }
    atomicStore(&status[0], 1u);
    return select(size - 1u, 0u, negative);
}
