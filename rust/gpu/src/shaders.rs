//! The WGSL that comes with the crate: one line for each file.

macro_rules! shader {
    ($path:literal) => {
        (
            $path,
            include_str!(concat!("../../../shaders/", $path, ".wgsl")),
        )
    };
}

/// Templates, by the name that kernels render them by.
pub(crate) const TEMPLATES: &[(&str, &str)] = &[shader!("elementwise")];

/// Functions named `lam_...`; a module gets those that it calls.
pub(crate) const LIBRARY: &[(&str, &str)] = &[
    shader!("common/index"),
    shader!("common/pack"),
    shader!("common/arith"),
];
