//! Bytes to and from the device.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
};

use parking_lot::Mutex;

use crate::{
    buffer::{Buffer, padded},
    counters::{BUFFERS, count},
    error::{GpuError, Result},
    gpu::{Faults, Gpu},
};

/// Mappable buffers that nobody reads at present, by size.
pub(crate) type Staging = BTreeMap<u64, Vec<wgpu::Buffer>>;

/// A submission whose end somebody waits for.
pub(crate) struct Waiter {
    submission: wgpu::SubmissionIndex,
}

/// Free staging buffers kept; the rest go back to the device.
const STAGING_KEPT: usize = 4;

/// The one thread that polls a device: it runs the callbacks of whatever it is told to wait for.
pub(crate) fn spawn_poller(
    device: wgpu::Device,
    faults: Arc<Mutex<Faults>>,
) -> Result<mpsc::Sender<Waiter>> {
    let (sender, receiver) = mpsc::channel::<Waiter>();
    let work = move || {
        for waiter in receiver {
            let wait = wgpu::PollType::Wait {
                submission_index: Some(waiter.submission),
                timeout: None,
            };
            // wgpu panics when a device is lost under a poll; readers then see a lost device.
            let polled = catch_unwind(AssertUnwindSafe(|| device.poll(wait)));
            match polled {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => faults.lock().lose(error.to_string()),
                Err(_) => faults
                    .lock()
                    .lose("the driver stopped answering".to_owned()),
            }
        }
    };
    std::thread::Builder::new()
        .name("lamina-gpu-poll".to_owned())
        .spawn(work)
        .map_err(|e| GpuError::NoAdapter(format!("the polling thread would not start: {e}")))?;
    Ok(sender)
}

impl Gpu {
    /// A new buffer holding `data`.
    pub fn upload(self: &Arc<Self>, data: &[u8]) -> Result<Buffer> {
        let buffer = self.alloc(data.len() as u64)?;
        self.write(&buffer, 0, data)?;
        Ok(buffer)
    }

    /// Writes `data` at `offset` (a multiple of 4); later submissions see it.
    ///
    /// A last partial word is filled with zeros, so it must be the buffer's own end.
    pub fn write(&self, buffer: &Buffer, offset: u64, data: &[u8]) -> Result<()> {
        self.check_range(buffer, offset, data.len() as u64)?;
        let whole = data.len() / 4 * 4;
        self.scoped("a write", || {
            if whole > 0 {
                self.queue
                    .write_buffer(buffer.raw(), offset, &data[..whole]);
            }
            if whole < data.len() {
                let mut word = [0; 4];
                word[..data.len() - whole].copy_from_slice(&data[whole..]);
                let at = offset + whole as u64;
                self.queue.write_buffer(buffer.raw(), at, &word);
            }
        })
    }

    /// A new buffer holding `len` bytes of another from `offset` (a multiple of 4) on.
    pub fn copy_range(self: &Arc<Self>, from: &Buffer, offset: u64, len: u64) -> Result<Buffer> {
        self.check_range(from, offset, len)?;
        let buffer = self.alloc(len)?;
        self.scoped("a copy", || {
            let mut encoder = self
                .device
                .create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            let copied = len.div_ceil(4) * 4;
            encoder.copy_buffer_to_buffer(from.raw(), offset, buffer.raw(), 0, copied);
            self.submit(encoder.finish());
        })?;
        Ok(buffer)
    }

    /// Waits for all submitted work on `buffer` and returns `len` bytes from `offset`.
    pub fn read(&self, buffer: &Buffer, offset: u64, len: u64) -> Result<Vec<u8>> {
        self.check_range(buffer, offset, len)?;
        if len == 0 {
            return Ok(Vec::new());
        }
        let size = padded(len).next_power_of_two();
        let staging = self.take_staging(size)?;
        let (sender, receiver) = mpsc::channel();
        let copied = len.div_ceil(4) * 4;
        let submission = self.scoped("a read", || {
            let mut encoder = self
                .device
                .create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            encoder.copy_buffer_to_buffer(buffer.raw(), offset, &staging, 0, copied);
            let submission = self.submit(encoder.finish());
            staging.map_async(wgpu::MapMode::Read, ..copied, move |mapped| {
                let _ = sender.send(mapped);
            });
            submission
        })?;
        let gone = |()| GpuError::Lost("its polling thread has ended".to_owned());
        self.poller
            .send(Waiter { submission })
            .map_err(|_| gone(()))?;
        let mapped = receiver.recv().map_err(|_| {
            let lost = GpuError::Lost("a read was dropped".to_owned());
            self.check().err().unwrap_or(lost)
        })?;
        if let Err(error) = mapped {
            self.check()?;
            return Err(GpuError::Lost(error.to_string()));
        }
        let data = staging
            .get_mapped_range(..copied)
            .map_err(|e| GpuError::Lost(e.to_string()))?
            .get(..len as usize)
            .map(<[u8]>::to_vec)
            .ok_or_else(|| GpuError::Lost("a read came back short".to_owned()))?;
        staging.unmap();
        self.keep_staging(staging);
        Ok(data)
    }

    /// Waits until all submitted work is done.
    pub fn finish(self: &Arc<Self>) -> Result<()> {
        let probe = self.alloc(16)?;
        self.read(&probe, 0, 4).map(drop)
    }

    fn check_range(&self, buffer: &Buffer, offset: u64, len: u64) -> Result<()> {
        let end = offset.saturating_add(len);
        if end > buffer.bytes() || !offset.is_multiple_of(4) {
            let bytes = buffer.bytes();
            return Err(GpuError::Range { offset, end, bytes });
        }
        if std::ptr::eq(self, Arc::as_ptr(buffer.gpu())) {
            return Ok(());
        }
        self.check()?;
        buffer.gpu().check()?;
        let message = format!("a buffer of {:?} was given to {self:?}", buffer.gpu());
        Err(GpuError::Arguments(message))
    }

    fn take_staging(&self, size: u64) -> Result<wgpu::Buffer> {
        let kept = self.staging.lock().get_mut(&size).and_then(Vec::pop);
        if let Some(buffer) = kept {
            return Ok(buffer);
        }
        count(&BUFFERS);
        self.scoped("a staging buffer", || {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("staging"),
                size,
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })
    }

    fn keep_staging(&self, buffer: wgpu::Buffer) {
        let mut staging = self.staging.lock();
        let free = staging.entry(buffer.size()).or_default();
        if free.len() < STAGING_KEPT {
            free.push(buffer);
        }
    }
}
