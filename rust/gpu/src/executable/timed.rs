//! Runs that are timed by the device's own clock.

use super::Executable;
use crate::{buffer::Buffer, error::Result, gpu::Gpu, program::Dispatch};

/// Bytes of a dispatch's two timestamps.
const PAIR: u64 = 16;

/// From and to which second after the first dispatch each dispatch ran.
pub type Times = Vec<(f64, f64)>;

/// Where the timestamps of a run are gathered.
pub(super) struct Clock {
    resolved: wgpu::Buffer,
    /// As `resolved`, to be read.
    ticks: Buffer,
}

impl Clock {
    /// None where the adapter has no timestamps or there is nothing to time.
    fn new(gpu: &std::sync::Arc<Gpu>, dispatches: &[Dispatch]) -> Result<Option<Clock>> {
        if !gpu.caps().timestamps || dispatches.is_empty() {
            return Ok(None);
        }
        let size = dispatches.len() as u64 * PAIR;
        let resolved = gpu.scoped("a clock", || {
            gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("timestamps"),
                size,
                usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            })
        })?;
        let ticks = gpu.alloc(size)?;
        Ok(Some(Clock { resolved, ticks }))
    }
}

impl Executable {
    /// As [`Executable::run`], but waits for the end.  Each dispatch is a pass of its own, which
    /// costs a little; the times are None where the adapter has no clock.
    pub fn run_timed(
        &self,
        inputs: &[&Buffer],
        outputs: &[&Buffer],
        scalars: &[u8],
    ) -> Result<(Option<Buffer>, Option<Times>)> {
        let clock = Clock::new(&self.gpu, &self.program.dispatches)?;
        let status = self.start(inputs, outputs, scalars, clock.as_ref())?;
        let Some(clock) = clock else {
            self.gpu.finish()?;
            return Ok((status, None));
        };
        let bytes = self.gpu.read(&clock.ticks, 0, clock.ticks.bytes())?;
        let period = f64::from(self.gpu.queue.get_timestamp_period()) * 1e-9;
        Ok((status, Some(seconds(&bytes, period))))
    }

    /// Records dispatches as passes with a timestamp before and after each.
    pub(super) fn record_timed(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        range: std::ops::Range<usize>,
        groups: &[wgpu::BindGroup],
        clock: &Clock,
    ) {
        let queries = 2 * range.len() as u32;
        let set = self.gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: None,
            ty: wgpu::QueryType::Timestamp,
            count: queries,
        });
        let first = range.start;
        for index in range {
            let query = 2 * (index - first) as u32;
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: None,
                timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                    query_set: &set,
                    beginning_of_pass_write_index: Some(query),
                    end_of_pass_write_index: Some(query + 1),
                }),
            });
            let dispatch = &self.program.dispatches[index];
            pass.set_pipeline(&self.pipelines[dispatch.module].pipeline);
            pass.set_bind_group(0, &groups[index], &[]);
            let [x, y, z] = dispatch.workgroups;
            pass.dispatch_workgroups(x, y, z);
        }
        // Submissions begin at multiples of 16 dispatches: where the device may write.
        let (start, size) = (first as u64 * PAIR, u64::from(queries) * 8);
        encoder.resolve_query_set(&set, 0..queries, &clock.resolved, start);
        encoder.copy_buffer_to_buffer(&clock.resolved, start, clock.ticks.raw(), start, size);
    }
}

/// Pairs of ticks as seconds after the first of them.
fn seconds(bytes: &[u8], period: f64) -> Times {
    let ticks: Vec<u64> = bytes
        .as_chunks()
        .0
        .iter()
        .map(|&word| u64::from_le_bytes(word))
        .collect();
    let zero = ticks.first().copied().unwrap_or(0);
    let since = |tick: u64| tick.saturating_sub(zero) as f64 * period;
    ticks
        .as_chunks()
        .0
        .iter()
        .map(|&[from, to]: &[u64; 2]| (since(from), since(to.max(from))))
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn ticks_become_seconds() {
        let ticks = [100u64, 300, 300, 200];
        let bytes: Vec<u8> = ticks.iter().flat_map(|t| t.to_le_bytes()).collect();
        // A clock that ran backwards gives no negative time.
        assert_eq!(super::seconds(&bytes, 0.5), [(0.0, 100.0), (100.0, 100.0)]);
    }
}
