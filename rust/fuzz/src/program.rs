//! Saved GPU programs: the file, and what its checksum would have hidden.

use lamina_core::gpu::Program;

pub fn program(data: &[u8]) {
    if let Ok(program) = Program::from_bytes(data) {
        again(&program);
    }
    // Past the checksum, which damage does not pass but malice does.
    let Some((head, rest)) = data.split_at_checked(24) else {
        return;
    };
    let length = head[8..16]
        .iter()
        .rev()
        .fold(0u64, |n, &b| n << 8 | u64::from(b));
    let length = usize::try_from(length)
        .unwrap_or(usize::MAX)
        .min(rest.len());
    let (json, blob) = rest.split_at(length);
    if let Ok(program) = Program::from_parts(json, blob) {
        again(&program);
    }
}

/// What loads can be taken apart and is the same put together.
fn again(program: &Program) {
    let Ok((json, blob)) = program.to_parts() else {
        return;
    };
    match Program::from_parts(json.as_bytes(), &blob) {
        Ok(back) => assert!(
            back == *program,
            "a program changed on its way to a file and back"
        ),
        Err(error) => panic!("a program that loaded does not load again: {error}"),
    }
}
