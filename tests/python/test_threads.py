"""Several threads at once, how they share the kernels' threads, and a GIL that is free while kernels run."""

import threading
import time

import numpy as np
import pytest

import lamina
from helpers import normal, raises
from lamina import nn, ops, optim

X = normal(64, 64).astype(np.float32)


def work(device):
    t = lamina.tensor(X, device=device)
    for _ in range(5):
        t = ops.tanh(t @ t.mT / 64.0 + 0.1)
    return t.numpy()


def on_threads(count, run):
    """What `run(0)`, ..., `run(count - 1)` give, each on a thread of its own and begun together."""
    results, together = [None] * count, threading.Barrier(count)

    def body(at):
        together.wait()
        try:
            results[at] = run(at)
        except BaseException as error:
            results[at] = error

    threads = [threading.Thread(target=body, args=(at,)) for at in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


@pytest.fixture
def num_threads():
    """Sets the process's number of threads for one test."""
    before = lamina.num_threads()
    yield lamina.set_num_threads
    lamina.set_num_threads(before)


def small_model(path, width):
    lamina.manual_seed(width)
    net = nn.Sequential(
        nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.Flatten(), nn.Linear(width * 64, 5)
    )
    lamina.onnx.save(net, lamina.tensor(normal(2, 3, 10, 10).astype(np.float32)), path / f"{width}.onnx")
    return lamina.onnx.load(path / f"{width}.onnx", device="cpu")


def test_threads_agree(device):
    wanted = work(device)
    for result in on_threads(4, lambda _: work(device)):
        np.testing.assert_array_equal(result, wanted)


def agree(models, runs):
    """Sixteen threads, each `runs` times through the models: always the same bits."""
    inputs = [normal(2, 3, 10, 10, seed=seed).astype(np.float32) for seed in range(4)]
    wanted = [[m.run({"x": x})["y"].tobytes() for x in inputs] for m in models]

    def run(at):
        differ = 0
        for turn in range(runs):
            m, x = (at + turn) % len(models), turn % len(inputs)
            differ += models[m].run({"x": inputs[x]})["y"].tobytes() != wanted[m][x]
        return differ

    assert on_threads(16, run) == [0] * 16


@pytest.mark.parametrize("models", [1, 4])
@pytest.mark.parametrize("runs", [20, pytest.param(10_000, marks=pytest.mark.slow)])
def test_sixteen_threads_on_models(tmp_path, num_threads, models, runs):
    num_threads(3)
    agree([small_model(tmp_path, 4 + at) for at in range(models)], runs)


def test_no_caller_starves(tmp_path, num_threads):
    """Callers of one long and of many short runs all come on."""
    num_threads(2)
    model, x = small_model(tmp_path, 8), normal(2, 3, 10, 10).astype(np.float32)
    big = lamina.tensor(normal(1000, 1000).astype(np.float32))
    runs, done = [0] * 4, threading.Event()

    def run(at):
        while not done.is_set() or runs[at] == 0:
            if at == 0:
                lamina.eval(big @ big + 1.0)
            else:
                model.run({"x": x})
            runs[at] += 1
            if min(runs) >= 3:
                done.set()

    on_threads(4, run)
    assert min(runs) >= 3


def test_a_limit_is_its_threads_own(num_threads):
    num_threads(3)

    def limited(at):
        with lamina.thread_limit(at + 1):
            return lamina.num_threads(), work("cpu").tobytes()

    wanted = work("cpu").tobytes()
    assert on_threads(4, limited) == [(1, wanted), (2, wanted), (3, wanted), (3, wanted)]
    assert lamina.num_threads() == 3


def test_limits_nest():
    before = lamina.num_threads()
    with lamina.thread_limit(2), lamina.thread_limit(1):
        assert lamina.num_threads() == 1
    assert lamina.num_threads() == before

    @lamina.thread_limit(1)
    def alone():
        return lamina.num_threads()

    assert alone() == 1
    for name, call in [
        ("set_num_threads", lambda: lamina.set_num_threads(0)),
        ("thread_limit", lambda: lamina.thread_limit(0).__enter__()),
    ]:
        raises(lamina.ArgumentError, f"{name}: got 0, wanted 1 to 256", call)


def test_idle_workers_sleep(num_threads):
    num_threads(2)
    work("cpu")
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.4)
    # A worker that went on spinning would take all of it.
    assert time.process_time() - before < 0.1


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


def test_results_do_not_depend_on_the_number_of_threads(num_threads):
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

    results = []
    for threads in (1, 2, 3):
        num_threads(threads)
        results.append(train())
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
