//! Running a plan: its slots filled, its parts in order.

use super::{Part, Plan, Slot};
use crate::{Device, Error, Layout, Result, Value, counters};
use std::cmp::Ordering;

/// A run that did not end.
pub(crate) struct Failure {
    pub error: Error,
    /// It had begun to write over donated values.
    pub wrote: bool,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        failure.error
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let wrote = false;
        Failure { error, wrote }
    }
}

/// What a watched run tells of, as it happens.
pub(crate) enum Moment<'a> {
    /// What the next part reads is on its device, and the device is idle.
    Begins,
    /// This part's steps on the CPU from the second number on are done, each in
    /// its share of the time since the last moment.
    Steps(usize, usize, &'a [f64]),
    /// This part is done: a GPU was waited for.  From and to which second
    /// after its first dispatch each of its steps ran, where the adapter has
    /// a clock.
    Ends(usize, Option<&'a [(f64, f64)]>),
}

/// Who watches a run.
pub(crate) type Watch<'a> = Option<&'a mut dyn FnMut(Moment<'_>)>;

impl Plan {
    /// Computes the results.  Donated inputs are overwritten: the caller
    /// holds them alone.
    pub(crate) fn run(&self, inputs: &[Value]) -> std::result::Result<Vec<Value>, Failure> {
        self.run_watched(inputs, None)
    }

    /// As [`Plan::run`], telling of what happens; a GPU is then waited for
    /// after each part.
    pub(crate) fn run_watched(
        &self,
        inputs: &[Value],
        mut watch: Watch<'_>,
    ) -> std::result::Result<Vec<Value>, Failure> {
        if inputs.len() != self.inputs {
            return Err(Error::internal(format!(
                "a plan of {} inputs got {}",
                self.inputs,
                inputs.len()
            ))
            .into());
        }
        counters::add(&counters::RUNS);
        let mut slots: Vec<Option<Value>> = self
            .slots
            .iter()
            .map(|slot| match slot {
                Slot::Input(index) => Some(inputs[*index].clone()),
                Slot::Constant(value) => Some(value.clone()),
                Slot::Made { .. } => None,
            })
            .collect();
        let last = self.point_of_no_return.unwrap_or((usize::MAX, 0));
        for (at, (part, device, reads, makes)) in self.parts.iter().enumerate() {
            // Past this step the part runs to its end.
            let commits = match at.cmp(&last.0) {
                Ordering::Less => usize::MAX,
                Ordering::Equal => last.1,
                Ordering::Greater => 0,
            };
            let failed = |error: Error| Failure {
                error,
                wrote: at > last.0,
            };
            for &slot in makes {
                if let Slot::Made {
                    meta,
                    device,
                    donor,
                } = &self.slots[slot]
                {
                    slots[slot] = Some(match donor {
                        Some(index) => inputs[*index].clone(),
                        None => Value::empty(meta.dtype, &meta.shape, *device).map_err(failed)?,
                    });
                }
            }
            let by_value =
                |slot: usize| matches!(part, Part::Gpu(part) if part.reads_by_value(slot));
            let near = brought(&slots, reads, *device, &by_value).map_err(failed)?;
            let given = near.as_ref().unwrap_or(&slots);
            match part {
                Part::Cpu(part) => {
                    tell(&mut watch, Moment::Begins);
                    let mut seen = |first: usize, shares: &[f64]| {
                        tell(&mut watch, Moment::Steps(at, first, shares));
                    };
                    part.run(given, commits, &mut seen)?;
                    tell(&mut watch, Moment::Ends(at, None));
                }
                Part::Gpu(part) => {
                    let wrote = at >= last.0;
                    let late = |error| Failure { error, wrote };
                    let status = match &mut watch {
                        None => part.run(given).map_err(late)?,
                        Some(watch) => {
                            part.finish().map_err(failed)?;
                            watch(Moment::Begins);
                            let (status, times) = part.run_timed(given).map_err(late)?;
                            watch(Moment::Ends(at, times.as_deref()));
                            status
                        }
                    };
                    for &slot in makes {
                        if let Some(value) = &mut slots[slot] {
                            value.set_status(&status);
                        }
                    }
                }
            }
        }
        let results = self
            .outputs
            .iter()
            .map(|output| {
                let value = slots[output.slot]
                    .as_ref()
                    .ok_or_else(|| Error::internal("a result was not made"))?;
                let start = value.layout.offset;
                let layout = Layout {
                    offset: output.layout.offset + start,
                    ..output.layout.clone()
                };
                Ok(Value {
                    storage: value.storage.clone(),
                    layout,
                    dtype: output.dtype,
                })
            })
            .collect::<Result<_>>()?;
        Ok(results)
    }
}

fn tell(watch: &mut Watch<'_>, moment: Moment<'_>) {
    if let Some(watch) = watch {
        watch(moment);
    }
}

/// The slots with what a part reads brought to its device, but for the host
/// scalars that it reads by value; None if all is there already.
fn brought(
    slots: &[Option<Value>],
    reads: &[usize],
    device: Device,
    by_value: &dyn Fn(usize) -> bool,
) -> Result<Option<Vec<Option<Value>>>> {
    let elsewhere = |value: &Value| value.device() != device;
    let far = |slot: usize| slots[slot].as_ref().is_some_and(elsewhere) && !by_value(slot);
    if !reads.iter().any(|&slot| far(slot)) {
        return Ok(None);
    }
    let mut near = slots.to_vec();
    for &slot in reads.iter().filter(|&&slot| far(slot)) {
        if let Some(value) = &slots[slot] {
            near[slot] = Some(value.to_device(device)?);
        }
    }
    Ok(Some(near))
}
