//! Index errors on a GPU: kernels clamp an index that is out of range and set
//! their run's status word.  A value carries the status words of the runs it
//! comes from, and whoever brings it to the CPU reads them with it: the error
//! reaches those who use the value and nobody else.

use crate::{Error, Result};
use lamina_gpu::Buffer;
use parking_lot::Mutex;
use std::sync::Arc;

/// Status words that a value carries before they are read at once, so that a
/// long loop that never looks at a result keeps no growing list of them.
const MOST: usize = 32;

/// The status words behind a value on a GPU; nearly always none.
#[derive(Clone, Default)]
pub struct Status(Vec<Arc<Mutex<Run>>>);

/// What is known of one run of a program that reads or writes by index.
enum Run {
    /// The word lies on the device, behind a run that may not have ended.
    Unread {
        word: Buffer,
        ops: Arc<[String]>,
    },
    Fine,
    /// It met an index out of range, in one of the ops named here.
    Bad(Arc<[String]>),
}

impl Status {
    /// Of a run whose `ops` share the status word.
    pub(crate) fn of_run(word: Buffer, ops: Arc<[String]>) -> Status {
        Status(vec![Arc::new(Mutex::new(Run::Unread { word, ops }))])
    }

    /// Takes in what another value carries.
    pub(crate) fn join(&mut self, other: &Status) {
        for run in &other.0 {
            let known = self.0.iter().any(|have| Arc::ptr_eq(have, run));
            if !known && !matches!(*run.lock(), Run::Fine) {
                self.0.push(run.clone());
            }
        }
    }

    /// Reads the words if a value would carry too many of them.
    pub(crate) fn bound(&mut self) -> Result<()> {
        if self.0.len() > MOST {
            self.check()?;
            self.0.clear();
        }
        Ok(())
    }

    /// Waits for the runs behind a value; an error if one met a bad index.
    pub(crate) fn check(&self) -> Result<()> {
        self.0.iter().try_for_each(|run| run.lock().check())
    }
}

impl Run {
    fn check(&mut self) -> Result<()> {
        if let Run::Unread { word, ops } = self {
            let bytes = word.gpu().read(word, 0, 4)?;
            *self = if bytes == [0; 4] {
                Run::Fine
            } else {
                Run::Bad(ops.clone())
            };
        }
        match self {
            Run::Bad(ops) => Err(Error::index(format!(
                "{}: an index is out of range of the indexed axis; the result holds clamped elements",
                ops.join(" or ")
            ))),
            _ => Ok(()),
        }
    }
}
