#![no_main]

libfuzzer_sys::fuzz_target!(init: lamina_fuzz::setup(), |data: &[u8]| lamina_fuzz::graph(data));
