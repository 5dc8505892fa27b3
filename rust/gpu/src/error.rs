//! What can go wrong on a GPU, as values.

/// Every failure of this crate.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum GpuError {
    /// No usable adapter.
    #[error("no GPU adapter found: {0}")]
    NoAdapter(String),
    /// An index past the list of adapters.
    #[error("no GPU adapter {index}: this machine has {count}; `adapters()` lists them")]
    NoSuchAdapter { index: usize, count: usize },
    /// The adapter or the memory limit has no room.
    #[error("out of GPU memory: {wanted} bytes wanted, {in_use} in use, limit {limit}")]
    OutOfMemory {
        wanted: u64,
        in_use: u64,
        limit: u64,
    },
    /// One buffer is larger than this adapter can bind.
    #[error(
        "a buffer of {bytes} bytes is larger than this adapter can bind ({limit} bytes); \
         split the tensor or run it on the CPU"
    )]
    TooLarge { bytes: u64, limit: u64 },
    /// The device went away.
    #[error("the GPU device was lost: {0}; open it again and upload the data anew")]
    Lost(String),
    /// A WGSL module was refused.
    #[error("shader `{module}` was refused: {message}")]
    Shader { module: String, message: String },
    /// wgpu refused a call.
    #[error("GPU validation failed in {what}: {message}")]
    Validation { what: String, message: String },
    /// A shader template did not render.
    #[error("shader template `{template}`: {message}")]
    Template { template: String, message: String },
    /// A kernel does not do this; the caller has another way.
    #[error("{kernel}: {reason}")]
    Unsupported { kernel: String, reason: String },
    /// A program's data contradict each other.
    #[error("invalid GPU program: {0}")]
    Program(String),
    /// A run was given the wrong buffers.
    #[error("GPU program run: {0}")]
    Arguments(String),
    /// An access past a buffer's end.
    #[error("GPU buffer access: bytes {offset}..{end} of a buffer of {bytes}")]
    Range { offset: u64, end: u64, bytes: u64 },
}

impl GpuError {
    pub(crate) fn unsupported(kernel: &str, reason: impl Into<String>) -> Self {
        GpuError::Unsupported {
            kernel: kernel.to_owned(),
            reason: reason.into(),
        }
    }
}

pub type Result<T, E = GpuError> = std::result::Result<T, E>;
