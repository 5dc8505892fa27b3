use super::{
    MAX_THREADS, Seat, alone, num_threads, parallel_blocks, parallel_chunks, parallel_chunks_mut,
    parallel_for, parse, seat, set_num_threads, set_thread_limit, stoppable, threads_here,
};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

fn counts(n: usize) -> Vec<AtomicUsize> {
    (0..n).map(|_| AtomicUsize::new(0)).collect()
}

fn once(count: &AtomicUsize) {
    count.fetch_add(1, Relaxed);
}

#[test]
fn every_task_runs_once() {
    for threads in [1, 2, 3, 5] {
        set_num_threads(threads);
        for tasks in [0, 1, 2, 3, 7, 64, 1000] {
            let seen = counts(tasks);
            parallel_for(tasks, &|i| {
                seen[i].fetch_add(1, Relaxed);
            });
            assert!(
                seen.iter().all(|c| c.load(Relaxed) == 1),
                "{threads} {tasks}"
            );
        }
    }
}

#[test]
fn alone_nothing_leaves_the_thread() {
    set_num_threads(3);
    // The thread's own: how many threads there are other tests change.
    let before = set_thread_limit(7);
    let here = std::thread::current().id();
    let ran = AtomicUsize::new(0);
    alone(|| {
        assert_eq!(threads_here(), 1);
        parallel_for(64, &|_| {
            assert_eq!(std::thread::current().id(), here);
            once(&ran);
        });
    });
    assert_eq!((ran.load(Relaxed), set_thread_limit(7)), (64, 7));
    let raised = std::panic::catch_unwind(|| alone(|| panic!("inside")));
    assert!(raised.is_err());
    assert_eq!(set_thread_limit(before), 7);
}

#[test]
fn many_small_regions_and_sleeping_workers() {
    set_num_threads(3);
    let total = AtomicUsize::new(0);
    for round in 0..3000 {
        parallel_for(3, &|_| {
            total.fetch_add(1, Relaxed);
        });
        if round % 1000 == 0 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
    assert_eq!(total.load(Relaxed), 9000);
}

#[test]
fn nested_and_concurrent_callers() {
    set_num_threads(2);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let seen = counts(40);
                    parallel_for(8, &|i| {
                        parallel_for(5, &|j| {
                            seen[i * 5 + j].fetch_add(1, Relaxed);
                        });
                    });
                    assert!(seen.iter().all(|c| c.load(Relaxed) == 1));
                }
            });
        }
    });
}

#[test]
fn callers_together_use_as_many_threads_as_one() {
    for threads in 1..=9 {
        for callers in 1..=threads {
            let parts: Vec<usize> = (0..callers)
                .map(|place| seat::part(threads, callers, place))
                .collect();
            assert_eq!(parts.iter().sum::<usize>(), threads, "{parts:?}");
            assert!(parts[0] - parts[callers - 1] <= 1, "{parts:?}");
        }
        assert_eq!(seat::part(threads, threads + 1, threads), 1);
    }
}

#[test]
fn more_callers_than_seats() {
    set_num_threads(2);
    let (sitting, begun) = (std::sync::Barrier::new(80), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..80 {
            scope.spawn(|| {
                let _seat = Seat::take();
                // A thread has one seat, however often it asks.
                let again = Seat::take();
                sitting.wait();
                drop(again);
                assert!(threads_here() <= 2);
                parallel_for(10, &|_| once(&begun));
            });
        }
    });
    assert_eq!(begun.load(Relaxed), 800);
}

#[test]
fn a_limit_is_its_threads_own() {
    set_num_threads(2);
    assert_eq!(set_thread_limit(1), MAX_THREADS);
    assert_eq!((num_threads(), threads_here()), (1, 1));
    let me = std::thread::current().id();
    parallel_for(8, &|_| assert_eq!(std::thread::current().id(), me));
    std::thread::spawn(|| assert_eq!(set_thread_limit(3), MAX_THREADS))
        .join()
        .expect("the other thread's limit is its own");
    assert_eq!(set_thread_limit(MAX_THREADS), 1);
}

#[test]
fn stopping_leaves_tasks_out_and_the_pool_lives_on() {
    static STOP: AtomicBool = AtomicBool::new(false);
    set_num_threads(2);
    let run = |tasks: usize, last: usize| {
        let begun = AtomicUsize::new(0);
        STOP.store(false, Relaxed);
        let ended = stoppable(
            || STOP.load(Relaxed),
            || {
                // The inner region is one task of the outer one.
                parallel_for(2, &|_| {
                    parallel_for(tasks, &|_| {
                        STOP.fetch_or(begun.fetch_add(1, Relaxed) == last, Relaxed);
                    });
                });
            },
        );
        (ended.is_some(), begun.into_inner())
    };
    for _ in 0..3 {
        // Only the caller asks: alone before each task, with a worker, who may
        // do any part of the tasks, whenever it comes to one.
        let before = set_thread_limit(1);
        assert_eq!(run(1000, 100), (false, 101));
        set_thread_limit(before);
        let (ended, begun) = run(1000, 100);
        assert!(begun > 100 && (!ended || begun == 2000), "{ended} {begun}");
        assert_eq!(run(1000, 5000), (true, 2000));
    }
    STOP.store(true, Relaxed);
    // Nobody asks for it here.
    parallel_for(2, &|_| {});
}

#[test]
fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
    set_num_threads(2);
    for _ in 0..3 {
        let caught = std::panic::catch_unwind(|| {
            parallel_for(100, &|i| assert!(i != 57, "task 57"));
        });
        let payload = caught.expect_err("the panic is raised again");
        assert_eq!(payload.downcast_ref::<&str>().copied(), Some("task 57"));
        let seen = counts(10);
        parallel_for(10, &|i| {
            seen[i].fetch_add(1, Relaxed);
        });
        assert!(seen.iter().all(|c| c.load(Relaxed) == 1));
    }
}

#[test]
fn cuts_cover_the_range() {
    for len in [0, 1, 31, 32, 33, 1000] {
        let seen = counts(len);
        parallel_chunks(len, 8, |range| range.for_each(|i| once(&seen[i])));
        assert!(seen.iter().all(|c| c.load(Relaxed) == 1));
        let seen = counts(len);
        parallel_blocks(len, 32, |block, range| {
            assert_eq!(range.start, block * 32);
            assert!(range.len() == 32 || range.end == len);
            range.for_each(|i| once(&seen[i]));
        });
        assert!(seen.iter().all(|c| c.load(Relaxed) == 1));
        let mut data = vec![0; len];
        parallel_chunks_mut(&mut data, 7, |block, piece| piece.fill(block));
        assert!(data.iter().enumerate().all(|(i, v)| *v == i / 7));
    }
}

#[test]
fn the_number_is_checked() {
    assert_eq!(parse("2"), Ok(2));
    for bad in ["0", "-1", "two", "", "100000"] {
        assert_eq!(
            parse(bad).unwrap_err(),
            format!("LAMINA_NUM_THREADS: got '{bad}', wanted a number from 1 to {MAX_THREADS}")
        );
    }
    assert!(num_threads() >= 1);
}

#[cfg(unix)]
#[test]
fn a_forked_child_starts_its_own_pool() {
    unsafe extern "C" {
        fn fork() -> i32;
        fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
        fn _exit(code: i32) -> !;
    }
    set_num_threads(2);
    parallel_for(4, &|_| {});
    // SAFETY: the child only runs the pool and leaves without unwinding.
    unsafe {
        let pid = fork();
        assert!(pid >= 0);
        if pid == 0 {
            let seen = counts(100);
            parallel_for(100, &|i| once(&seen[i]));
            _exit(i32::from(!seen.iter().all(|c| c.load(Relaxed) == 1)));
        }
        let mut status = -1;
        assert_eq!(waitpid(pid, &raw mut status, 0), pid);
        assert_eq!(status, 0);
    }
}
