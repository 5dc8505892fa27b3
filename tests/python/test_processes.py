"""What happens to a process while lamina computes in it: Ctrl-C, a fork, its exit."""

import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

import lamina
from helpers import normal
from lamina import nn, ops

X = normal(64, 64).astype(np.float32)


def python(code, env=()):
    """What a fresh interpreter prints; it must end well and say nothing on stderr."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        env={**os.environ, **dict(env)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def work():
    t = lamina.tensor(X)
    for _ in range(5):
        t = ops.tanh(t @ t.mT / 64.0 + 0.1)
    return t.numpy()


def _work(queue):
    queue.put(work().tobytes())


# Whole programs: a signal reaches the main thread only.
@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize(
    ("shape", "expression"),
    [
        ("(6000, 6000)", "x @ x @ x @ x @ x @ x @ x @ x"),
        ("(8, 64, 256, 256)", "nn.Sequential(*[nn.Conv2d(64, 64, 3, padding=1) for _ in range(40)])(x)"),
        ("(64, 1000, 1000)", "functools.reduce(lambda y, _: ops.sin(y) + ops.sqrt(y * y), range(40), x)"),
    ],
    ids=["few long products", "convolutions", "one long chain"],
)
def test_ctrl_c_stops_a_long_run(threads, shape, expression):
    code = f"""
    import functools, os, signal, threading, time
    import lamina
    from lamina import nn, ops
    x = ops.zeros({shape}) + 0.5
    lamina.eval(x)
    sent = []
    def interrupt():
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)
    with lamina.no_grad():
        y = {expression}
        threading.Timer(0.5, interrupt).start()
        try:
            for _ in range(1000):
                lamina.eval(y + 1.0)
        except KeyboardInterrupt:
            print(time.monotonic() - sent[0])
    # What was not computed is computed when it is asked for.
    print((x[..., :2] * 2.0).numpy().ravel()[0])
    """
    late, after = python(code, {"LAMINA_NUM_THREADS": threads}.items()).split()
    # A second on a machine that does nothing else.
    assert float(late) < 3
    assert after == "1.0"


def test_ctrl_c_in_an_update_leaves_it_undone_or_done():
    code = """
    import os, signal, threading
    import numpy as np
    import lamina
    from lamina import nn, ops, optim
    net = nn.Linear(1200, 1200)
    opt = optim.SGD(net.parameters(), lr=1e-3)
    x = lamina.tensor(np.ones((1200, 1200), np.float32))
    threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    steps = 0
    try:
        while True:
            ops.mean(net(x)).backward()
            opt.step()
            opt.zero_grad()
    except KeyboardInterrupt:
        pass
    opt.zero_grad()
    assert np.isfinite(net.weight.tensor.numpy()).all()
    ops.mean(net(x)).backward()
    opt.step()
    assert np.isfinite(net.weight.tensor.numpy()).all()
    """
    python(code)


@pytest.mark.parametrize("what", ["model", "training"])
def test_exit_while_a_run_is_in_flight(tmp_path, what):
    net = nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 512))
    path = tmp_path / "net.onnx"
    lamina.onnx.save(net, ops.zeros((256, 512)), path)
    code = f"""
    import threading, time
    import numpy as np
    import lamina
    from lamina import nn, ops, optim
    x = np.ones((256, 512), np.float32)
    begun = threading.Semaphore(0)
    def model():
        loaded = lamina.onnx.load({str(path)!r}, device="cpu")
        while True:
            loaded.run({{"x": x}})
            begun.release()
    def training():
        net = nn.Linear(512, 512)
        opt = optim.Adam(net.parameters(), lr=1e-3)
        while True:
            ops.mean(net(lamina.tensor(x))).backward()
            opt.step()
            opt.zero_grad()
            begun.release()
    for _ in range(3):
        threading.Thread(target={what}, daemon=True).start()
    for _ in range(6):
        begun.acquire()
    print("leaving")
    """
    for _ in range(3):
        assert python(code) == "leaving\n"


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_computes():
    wanted = work()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_work, args=(queue,))
    child.start()
    got = np.frombuffer(queue.get(timeout=60), np.float32).reshape(wanted.shape)
    child.join(timeout=60)
    assert child.exitcode == 0
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_while_other_threads_compute(tmp_path):
    """Of whatever another thread held locked, nothing is locked in the child."""
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 64, 5))
    path = tmp_path / "net.onnx"
    image = normal(1, 3, 10, 10).astype(np.float32)
    lamina.onnx.save(net, lamina.tensor(image), path)
    model = lamina.onnx.load(path, device="cpu")
    wanted = work().tobytes(), model.run({"x": image})["y"].tobytes()
    done, runs = threading.Event(), [0, 0, 0]

    def run(at):
        while not done.is_set():
            if at:
                model.run({"x": image})
            else:
                # A plan, packings and memory of its own each time.
                size = 10 + runs[at] % 50
                lamina.eval(ops.zeros((size, size)) @ ops.zeros((size, 3)))
            runs[at] += 1

    threads = [threading.Thread(target=run, args=(at,)) for at in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            before = list(runs)
            assert _in_a_child(lambda: (work().tobytes(), model.run({"x": image})["y"].tobytes()) == wanted)
            # The parent's threads go on.
            while any(now == then for now, then in zip(runs, before, strict=True)):
                assert all(thread.is_alive() for thread in threads)
    finally:
        done.set()
        for thread in threads:
            thread.join()


def _in_a_child(check):
    """Whether `check()` is true in a forked child; False too if it does not end."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if check() else 1)
        finally:
            os._exit(2)
    over = threading.Timer(30, lambda: os.kill(pid, 9))
    over.start()
    _, status = os.waitpid(pid, 0)
    over.cancel()
    return status == 0
