//! Where the time of a run goes, step by step.

use crate::plan::{Moment, Plan, explain::StepInfo};
use crate::{Compiled, Error, Result, Tensor, Value, eval};
use std::time::Instant;

/// A stretch of time, in seconds; `start` is counted from the first run's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    pub start: f64,
    pub seconds: f64,
}

/// One timed run.
#[derive(Clone, Debug)]
pub struct Run {
    pub whole: Span,
    /// Of each part, without what is brought to its device before it.
    pub parts: Vec<Span>,
    /// Of each step; none on a GPU without timestamps, which tells its whole
    /// part's time only.
    pub steps: Vec<Option<Span>>,
}

/// A plan and what its runs took.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    pub steps: Vec<StepInfo>,
    pub fallbacks: Vec<String>,
    pub runs: Vec<Run>,
}

impl Profile {
    /// Seconds of each step, the median over the runs.
    pub fn step_seconds(&self) -> Vec<Option<f64>> {
        let steps = self.runs.first().map_or(0, |run| run.steps.len());
        (0..steps)
            .map(|step| {
                let each = self.runs.iter().map(|run| run.steps[step]);
                median(
                    each.map(|span| span.map(|s| s.seconds))
                        .collect::<Option<_>>()?,
                )
            })
            .collect()
    }

    /// Seconds of each part, the median over the runs.
    pub fn part_seconds(&self) -> Vec<f64> {
        let parts = self.runs.first().map_or(0, |run| run.parts.len());
        let each = |part: usize| self.runs.iter().map(move |run| run.parts[part].seconds);
        (0..parts)
            .map(|part| median(each(part).collect()).unwrap_or(0.0))
            .collect()
    }

    /// Seconds of a run, the median over the runs.
    pub fn total(&self) -> f64 {
        median(self.runs.iter().map(|run| run.whole.seconds).collect()).unwrap_or(0.0)
    }
}

/// The middle value, or the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 0 => Some(f64::midpoint(values[middle - 1], values[middle])),
        _ => Some(values[middle]),
    }
}

impl Compiled {
    /// Runs once to warm up, then `runs` times by the clock.  What is timed
    /// is all of [`Compiled::run`], and on a GPU the wait for its end.
    pub fn profile(&self, inputs: &[Value], runs: usize) -> Result<Profile> {
        if runs == 0 {
            return Err(Error::argument("profile: runs is 0, wanted 1 or more"));
        }
        self.run(inputs)?;
        let mut recorder = Recorder::new(self.plan());
        for _ in 0..runs {
            recorder.begin();
            self.run_watched(inputs, Some(&mut |moment| recorder.note(&moment)))?;
            recorder.end();
        }
        Ok(recorder.profile)
    }
}

/// Computes `targets` as [`crate::eval`] does, by the clock: once, since
/// their values are then known.  None if everything is computed.
pub fn profile(targets: &[Tensor]) -> Result<Option<Profile>> {
    let Some(job) = eval::planned(targets)? else {
        return Ok(None);
    };
    let mut recorder = Recorder::new(&job.plan);
    recorder.begin();
    eval::run(&job, Some(&mut |moment| recorder.note(&moment)))?;
    recorder.end();
    Ok(Some(recorder.profile))
}

/// Writes down a run's moments.
struct Recorder {
    profile: Profile,
    /// Where each part's steps begin in the list of all.
    first: Vec<usize>,
    zero: Instant,
    /// When the present part began.
    part: f64,
    /// When the last moment was.
    last: f64,
}

impl Recorder {
    fn new(plan: &Plan) -> Recorder {
        let steps = plan.steps().to_vec();
        let first = (0..plan.part_count())
            .map(|part| steps.partition_point(|step| step.place.0 < part))
            .collect();
        Recorder {
            profile: Profile {
                steps,
                fallbacks: plan.fallbacks().to_vec(),
                runs: Vec::new(),
            },
            first,
            zero: Instant::now(),
            part: 0.0,
            last: 0.0,
        }
    }

    /// Seconds since the first run began.
    fn now(&self) -> f64 {
        self.zero.elapsed().as_secs_f64()
    }

    fn begin(&mut self) {
        let start = if self.profile.runs.is_empty() {
            self.zero = Instant::now();
            0.0
        } else {
            self.now()
        };
        let nothing = Span {
            start,
            seconds: 0.0,
        };
        self.profile.runs.push(Run {
            whole: nothing,
            parts: vec![nothing; self.first.len()],
            steps: vec![None; self.profile.steps.len()],
        });
        (self.part, self.last) = (start, start);
    }

    fn end(&mut self) {
        let now = self.now();
        if let Some(run) = self.profile.runs.last_mut() {
            run.whole.seconds = now - run.whole.start;
        }
    }

    fn note(&mut self, moment: &Moment<'_>) {
        let now = self.now();
        let Some(run) = self.profile.runs.last_mut() else {
            return;
        };
        let since = |start: f64| Span {
            start,
            seconds: now - start,
        };
        match *moment {
            Moment::Begins => self.part = now,
            Moment::Steps(part, first, shares) => {
                let (mut start, all) = (self.last, now - self.last);
                for (step, share) in (first..).zip(shares) {
                    let seconds = all * share;
                    run.steps[self.first[part] + step] = Some(Span { start, seconds });
                    start += seconds;
                }
            }
            Moment::Ends(part, times) => {
                run.parts[part] = since(self.part);
                // The device's clock is not ours: its zero is put where the part began.
                for (step, &(from, to)) in times.unwrap_or_default().iter().enumerate() {
                    run.steps[self.first[part] + step] = Some(Span {
                        start: self.part + from,
                        seconds: to - from,
                    });
                }
            }
        }
        // What writing down takes belongs to no step.
        self.last = self.now();
    }
}

#[cfg(test)]
mod tests {
    use super::{Profile, Run, Span, median};

    #[test]
    fn the_middle_value() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn a_part_without_a_clock_has_a_time_all_the_same() {
        let span = |start, seconds| Span { start, seconds };
        let run = |start, seconds| Run {
            whole: span(start, seconds + 1.0),
            parts: vec![span(start, seconds)],
            steps: vec![None],
        };
        let profile = Profile {
            runs: vec![run(0.0, 2.0), run(3.0, 4.0)],
            ..Profile::default()
        };
        assert_eq!(profile.part_seconds(), [3.0]);
        assert_eq!(profile.total(), 4.0);
        assert_eq!(profile.step_seconds(), [None]);
        assert_eq!(Profile::default().total(), 0.0);
    }
}
