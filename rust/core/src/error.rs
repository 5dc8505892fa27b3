//! One error type.  `kind` chooses the Python class (one table in the
//! bindings); the message says op, argument, got, wanted and what to do.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Shapes that do not fit.
    Shape,
    /// Dtypes that do not fit.
    DType,
    /// An index or axis out of range.
    Index,
    /// A keyword or value that the op does not take.
    Argument,
    /// Correct, but not available here.
    Unsupported,
    /// A model or program file that cannot be read or written.
    Model,
    /// No such device, or a device that failed.
    Device,
    /// More memory than there is, or than the budget allows.
    OutOfMemory,
    /// A value that no longer exists (donated, or lost in a failed run).
    Lost,
    /// Stopped by the user.
    Interrupted,
    /// Raised by a Python function of a plugin's op.
    Plugin,
    /// A broken promise inside lamina: please report.
    Internal,
}

#[derive(Clone, Debug)]
pub struct Error {
    pub kind: ErrorKind,
    pub message: String,
}

pub type Result<T> = std::result::Result<T, Error>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

macro_rules! constructors {
    ($($name:ident => $kind:ident),* $(,)?) => {
        impl Error {
            $(pub fn $name(message: impl Into<String>) -> Self {
                Error { kind: ErrorKind::$kind, message: message.into() }
            })*
        }
    };
}

constructors! {
    shape => Shape,
    dtype => DType,
    index => Index,
    argument => Argument,
    unsupported => Unsupported,
    model => Model,
    device => Device,
    out_of_memory => OutOfMemory,
    lost => Lost,
    interrupted => Interrupted,
    plugin => Plugin,
    internal => Internal,
}

impl Error {
    /// The same error, said of `context`: "context: message".
    #[must_use]
    pub fn within(mut self, context: &str) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }
}

impl From<lamina_gpu::GpuError> for Error {
    fn from(error: lamina_gpu::GpuError) -> Self {
        let kind = match &error {
            lamina_gpu::GpuError::OutOfMemory { .. } | lamina_gpu::GpuError::TooLarge { .. } => {
                ErrorKind::OutOfMemory
            }
            lamina_gpu::GpuError::Unsupported { .. } => ErrorKind::Unsupported,
            lamina_gpu::GpuError::Program(_) => ErrorKind::Model,
            _ => ErrorKind::Device,
        };
        Error {
            kind,
            message: error.to_string(),
        }
    }
}
