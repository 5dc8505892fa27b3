//! Running a GPU part: its buffers gathered, its program submitted.

use super::super::schedule::SCALAR_STEP;
use super::GpuPart;
use crate::status::Status;
use crate::{Device, Error, Result, Storage, Value};
use lamina_gpu::{Buffer, Times};

impl GpuPart {
    /// Submits one run; gives the status of what it makes.
    pub fn run(&self, slots: &[Option<Value>]) -> Result<Status> {
        let run = |inputs: &[&Buffer], outputs: &[&Buffer], scalars: &[u8]| {
            let word = self.executable.run(inputs, outputs, scalars)?;
            Ok((word, ()))
        };
        self.start(slots, run).map(|(status, ())| status)
    }

    /// Waits until the device is idle.
    pub fn finish(&self) -> Result<()> {
        Ok(self.gpu.finish()?)
    }

    /// As [`GpuPart::run`], but waits for the end.  Where the adapter has a
    /// clock: from and to which second after the first dispatch each step ran.
    pub fn run_timed(&self, slots: &[Option<Value>]) -> Result<(Status, Option<Times>)> {
        let run = |inputs: &[&Buffer], outputs: &[&Buffer], scalars: &[u8]| {
            Ok(self.executable.run_timed(inputs, outputs, scalars)?)
        };
        let (status, times) = self.start(slots, run)?;
        Ok((status, times.map(|times| self.of_steps(&times))))
    }

    /// A step lasts from its first dispatch to the end of its last; one
    /// without a dispatch takes no time where the one before it ended.
    fn of_steps(&self, times: &Times) -> Times {
        let steps = self.steps;
        let mut out: Times = Vec::with_capacity(steps);
        for step in 0..steps {
            let mut own = times
                .iter()
                .zip(&self.step_of)
                .filter(|&(_, &of)| of == step)
                .map(|(time, _)| *time);
            let before = out.last().map_or(0.0, |&(_, to)| to);
            let first = own.next().unwrap_or((before, before));
            out.push((first.0, own.fold(first.1, |to, time| to.max(time.1))));
        }
        out
    }

    /// Gathers what the program binds and has `run` start it; gives the
    /// status, joined with the word that `run` gives.
    fn start<T>(
        &self,
        slots: &[Option<Value>],
        run: impl FnOnce(&[&Buffer], &[&Buffer], &[u8]) -> Result<(Option<Buffer>, T)>,
    ) -> Result<(Status, T)> {
        let missing = || Error::internal("a plan's slot is empty");
        let mut moved = Vec::new();
        let mut status = Status::default();
        for &slot in self.inputs.iter().chain(&self.outputs) {
            if let Some(carried) = slots[slot].as_ref().and_then(Value::status) {
                status.join(carried);
            }
        }
        status.bound()?;
        for &slot in &self.inputs {
            let value = slots[slot].as_ref().ok_or_else(missing)?;
            moved.push(self.at_start(value)?);
        }
        let buffer_of = |slot: usize| match slots[slot].as_ref().map(|v| &v.storage) {
            Some(Storage::Gpu { buffer, .. }) => Ok(buffer),
            _ => Err(missing()),
        };
        let inputs: Vec<&Buffer> = moved.iter().collect();
        let outputs: Vec<&Buffer> = self
            .outputs
            .iter()
            .map(|&s| buffer_of(s))
            .collect::<Result<_>>()?;
        let scalars = self.scalar_bytes(slots)?;
        let (word, answer) = run(&inputs, &outputs, &scalars)?;
        if let Some(word) = word {
            status.join(&Status::of_run(word, self.watched.clone()));
        }
        Ok((status, answer))
    }

    /// The host scalars that the kernels read, each in its place.
    pub fn scalar_bytes(&self, slots: &[Option<Value>]) -> Result<Vec<u8>> {
        let missing = || Error::internal("a scalar of a GPU part has no value");
        let mut scalars = vec![0u8; self.scalar_bytes];
        for &(slot, position) in &self.scalars {
            let value = slots[slot].as_ref().ok_or_else(missing)?;
            let value = value.to_device(Device::Cpu)?;
            let size = value.dtype.size();
            let start = value.layout.offset * size;
            let bytes = value.host_bytes().ok_or_else(missing)?;
            scalars[position * SCALAR_STEP..][..size].copy_from_slice(&bytes[start..start + size]);
        }
        Ok(scalars)
    }

    /// The buffer of an input; one that starts inside its storage is moved
    /// to the start of a buffer, since programs know sizes, not addresses.
    fn at_start(&self, value: &Value) -> Result<Buffer> {
        let Storage::Gpu { buffer, .. } = &value.storage else {
            return Err(Error::internal("a GPU part got a CPU value"));
        };
        if value.layout.offset == 0 {
            return Ok(buffer.clone());
        }
        let size = value.dtype.size();
        let (start, bytes) = (value.layout.offset * size, span(value) * size);
        if start % 4 == 0 && value.layout.strides.iter().all(|&s| s >= 0) {
            return Ok(self.gpu.copy_range(buffer, start as u64, bytes as u64)?);
        }
        // Packed elements that start inside a word: by way of the CPU.
        let host = self.gpu.read(buffer, 0, buffer.bytes())?;
        let end = (start + bytes).min(host.len());
        debug_assert_eq!(Device::Gpu(self.device), value.device());
        Ok(self.gpu.upload(&host[start..end])?)
    }
}

/// Elements from the first to the last of a view with rising strides.
fn span(value: &Value) -> usize {
    if value.layout.is_empty() {
        return 0;
    }
    1 + value
        .layout
        .shape
        .iter()
        .zip(&value.layout.strides)
        .map(|(&n, &s)| (n - 1) * s.unsigned_abs())
        .sum::<usize>()
}
