"""Several threads, a forked child, and a GIL that is free while kernels run."""

import multiprocessing
import threading
import time

import numpy as np
import pytest

import lamina
from helpers import normal
from lamina import nn, ops, optim

X = normal(64, 64).astype(np.float32)


def work(device):
    t = lamina.tensor(X, device=device)
    for _ in range(5):
        t = ops.tanh(t @ t.mT / 64.0 + 0.1)
    return t.numpy()


def test_threads_agree(device):
    wanted = work(device)
    results = [None] * 4

    def run(at):
        results[at] = work(device)

    threads = [threading.Thread(target=run, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        np.testing.assert_array_equal(result, wanted)


def test_gradients_are_each_threads_own_mode():
    seen = {}

    def other():
        seen["other"] = (lamina.tensor([1.0], requires_grad=True) * 2.0).requires_grad

    with lamina.no_grad():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert not (lamina.tensor([1.0], requires_grad=True) * 2.0).requires_grad
    assert seen["other"]


def test_the_gil_is_free_while_kernels_run():
    a = lamina.tensor(normal(1200, 1200).astype(np.float32))
    ticks, done = [], threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    started = time.perf_counter()
    for _ in range(6):
        lamina.eval(a @ a + float(len(ticks)))
    ended = time.perf_counter()
    done.set()
    thread.join()
    during = [t for t in ticks if started < t < ended]
    assert len(during) >= 5


def _child(queue):
    queue.put(work("cpu").tobytes())


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_computes():
    wanted = work("cpu")
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_child, args=(queue,))
    child.start()
    got = np.frombuffer(queue.get(timeout=60), np.float32).reshape(wanted.shape)
    child.join(timeout=60)
    assert child.exitcode == 0
    np.testing.assert_array_equal(got, wanted)


def test_results_do_not_depend_on_the_number_of_threads():
    def train():
        lamina.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 30 * 30, 10))
        optimizer = optim.SGD(net.parameters(), lr=0.01)
        x = lamina.tensor(normal(4, 3, 32, 32).astype(np.float32))
        for _ in range(3):
            ops.sum(ops.square(net(x))).backward()
            optimizer.step()
            optimizer.zero_grad()
        return [p.tensor.numpy() for p in net.parameters()]

    before = lamina.num_threads()
    try:
        results = []
        for threads in (1, 2, 3):
            lamina.set_num_threads(threads)
            results.append(train())
    finally:
        lamina.set_num_threads(before)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
