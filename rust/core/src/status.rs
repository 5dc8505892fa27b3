//! Index errors on a GPU: kernels clamp and set a status word, which is read
//! with the next read-back.

use crate::{Error, Result};
use lamina_gpu::{Buffer, Gpu};
use parking_lot::Mutex;
use std::sync::Arc;

struct Watched {
    gpu: Arc<Gpu>,
    status: Buffer,
    names: Vec<String>,
}

static WATCHED: Mutex<Vec<Watched>> = Mutex::new(Vec::new());

/// Remembers the status buffer of a run.
pub fn watch(gpu: &Arc<Gpu>, status: Buffer, names: &[String]) {
    WATCHED.lock().push(Watched {
        gpu: gpu.clone(),
        status,
        names: names.to_vec(),
    });
}

/// Reads the status words of the runs since the last check.
pub fn check() -> Result<()> {
    let watched = std::mem::take(&mut *WATCHED.lock());
    for Watched { gpu, status, names } in watched {
        let bytes = gpu.read(&status, 0, 4)?;
        if bytes.iter().any(|&b| b != 0) {
            let mut ops: Vec<String> = names
                .into_iter()
                .filter(|n| {
                    n.contains("gather")
                        || n.contains("take")
                        || n.contains("scatter")
                        || n.contains("index")
                        || n.contains("one_hot")
                })
                .collect();
            ops.dedup();
            return Err(Error::index(format!(
                "{}: an index is out of range of the indexed axis; the result holds clamped elements",
                ops.join(", ")
            )));
        }
    }
    Ok(())
}
