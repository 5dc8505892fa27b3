//! How callers share the threads.
//!
//! A caller takes a seat, for a run or for a single region, and has a team of
//! workers of its own there.  While `n` callers sit, each uses an `n`th of the
//! threads: together they use as many as one of them alone, and none waits
//! for another.

use super::gate::Team;
use super::{INSIDE, num_threads};
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};
use std::sync::atomic::{AtomicPtr, AtomicU64};

/// Callers beyond these run their regions alone.
const SEATS: usize = u64::BITS as usize;

/// A bit for each seat that is taken.
static TAKEN: AtomicU64 = AtomicU64::new(0);

/// Teams of this process, made when first needed.
static TEAMS: [AtomicPtr<Team>; SEATS] = [const { AtomicPtr::new(std::ptr::null_mut()) }; SEATS];

thread_local! {
    static MINE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// This thread's place among the callers until dropped.
pub struct Seat {
    /// The seat to give back; none where the thread had one already, or where
    /// all are taken.
    taken: Option<usize>,
    /// A seat belongs to a thread.
    thread: PhantomData<*const ()>,
}

impl Seat {
    /// The first free seat: the warmest workers.  Inside a region, and where
    /// the thread sits already, nothing changes.
    pub fn take() -> Seat {
        let thread = PhantomData;
        if MINE.get().is_some() || INSIDE.get() {
            return Seat {
                taken: None,
                thread,
            };
        }
        let mut seats = TAKEN.load(Relaxed);
        let taken = loop {
            let free = (!seats).trailing_zeros() as usize;
            if free == SEATS {
                break None;
            }
            match TAKEN.compare_exchange_weak(seats, seats | 1 << free, AcqRel, Relaxed) {
                Ok(_) => break Some(free),
                Err(now) => seats = now,
            }
        };
        MINE.set(taken);
        Seat { taken, thread }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(seat) = self.taken {
            MINE.set(None);
            TAKEN.fetch_and(!(1 << seat), AcqRel);
        }
    }
}

/// This caller's part of the threads, itself included.
#[inline]
pub(super) fn share() -> usize {
    let threads = num_threads();
    if threads == 1 {
        return 1;
    }
    let taken = TAKEN.load(Relaxed);
    let callers = taken.count_ones() as usize;
    match MINE.get() {
        Some(seat) => part(threads, callers.max(1), seat),
        None => part(threads, callers + 1, (!taken).trailing_zeros() as usize),
    }
}

/// The first seats have what does not divide.
pub(super) fn part(threads: usize, callers: usize, seat: usize) -> usize {
    let rest = usize::from(seat < threads % callers);
    (threads / callers + rest).max(1)
}

/// The team of this thread's seat; none where it has no seat.
pub(super) fn team() -> Option<&'static Team> {
    let place = &TEAMS[MINE.get()?];
    // SAFETY: a stored team is never freed.
    if let Some(team) = unsafe { place.load(Acquire).as_ref() } {
        return Some(team);
    }
    #[cfg(unix)]
    start_anew_after_fork();
    // Only who has the seat makes its team.
    let fresh: &'static Team = Box::leak(Box::default());
    place.store(std::ptr::from_ref(fresh).cast_mut(), SeqCst);
    Some(fresh)
}

/// A forked child's copies of the teams have no threads, and of the callers
/// only the thread that forked is there.
#[cfg(unix)]
fn start_anew_after_fork() {
    unsafe extern "C" {
        fn pthread_atfork(
            prepare: Option<extern "C" fn()>,
            parent: Option<extern "C" fn()>,
            child: Option<extern "C" fn()>,
        ) -> i32;
    }
    extern "C" fn child() {
        for team in &TEAMS {
            team.store(std::ptr::null_mut(), SeqCst);
        }
        TAKEN.store(MINE.get().map_or(0, |seat| 1 << seat), SeqCst);
        // The fork may have come from inside a region.
        INSIDE.set(false);
    }
    static ONCE: std::sync::Once = std::sync::Once::new();
    // SAFETY: the handler only stores.  Where registering fails for want of
    // memory a forked child would wait for workers that it does not have.
    ONCE.call_once(|| unsafe {
        pthread_atfork(None, None, Some(child));
    });
}
