"""copy.deepcopy and pickle of optimizers, schedules and schedulers, with their model; threads that share one."""

import copy
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

from tinygrad_lr import backend, nn, optim, schedules, tensor
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.optim.lr_scheduler import GradualWarmupScheduler, LRScheduler
from tinygrad_lr.training import fit

EVERY = [pytest.param(cls, each, id=f"{name}-{i}") for name, cls in optim.OPTIMIZERS.items()
         for i, each in enumerate(cls.examined)]  # fmt: skip
every_setting = pytest.mark.parametrize(("cls", "settings"), EVERY)
HOW = {"deepcopy": copy.deepcopy, "pickle": lambda each: pickle.loads(pickle.dumps(each))}
both = pytest.mark.parametrize("how", HOW)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 1)

    def forward(self, x):
        return self.second(self.first(x).relu())


def grouped(cls, model, **settings):
    return cls(
        [{"params": model.first.named_parameters(), "lr": 0.05, "layer": 1}, {"params": model.second.parameters()}],
        lr=0.01, **settings,
    )  # fmt: skip


def step(model, optimizer, seed):
    rng = np.random.default_rng(seed)
    optimizer.zero_grad()
    x = rng.normal(size=(5, 3)).astype("f4")
    (model(tensor(x)) ** 2).mean().backward()
    optimizer.step()


def bits(model, optimizer):
    state = optimizer.state_dict()
    entries = {i: {k: np.asarray(v).tobytes() for k, v in e.items()} for i, e in state["state"].items()}
    return [p.data.tobytes() for p in model.parameters()], entries, state["param_groups"]


@both
@every_setting
def test_a_copy_with_its_model_goes_on_bit_for_bit_and_apart(cls, settings, how):
    model = Net()
    optimizer = grouped(cls, model, **settings)
    for seed in range(3):
        step(model, optimizer, seed)
    optimizer.param_groups[0]["lr"] = 0.03
    before = bits(model, optimizer)
    other_model, other = HOW[how]((model, optimizer))
    assert type(other) is cls and bits(other_model, other) == before
    step(other_model, other, 7)
    assert bits(model, optimizer) == before, "the copy moved the original"
    step(model, optimizer, 7)
    assert bits(model, optimizer) == bits(other_model, other)
    for group in other.param_groups:  # the copied parameters lie in the copy's own arena, all of them
        assert not any(np.may_share_memory(p.data, q.data) for p in group["params"] for q in model.parameters())
        assert len({id(p.data.base) for p in group["params"]}) == 1
    other.add_param_group({"params": tensor([1.0], requires_grad=True)})
    assert len(other.param_groups) == len(optimizer.param_groups) + 1
    with pytest.raises(ValueError, match="lr must be a finite number"):
        other.param_groups[0]["lr"] = float("nan")
    assert repr(other).startswith(repr(optimizer).partition("\n")[0])


@both
@pytest.mark.parametrize("short", ["bfloat16", "int8"])
def test_a_copy_with_short_moments(short, how):
    model = Net()
    optimizer = optim.Adam(model.parameters(), state_dtype=short)
    step(model, optimizer, 0)
    other_model, other = HOW[how]((model, optimizer))
    for seed in (1, 2):
        step(model, optimizer, seed)
        step(other_model, other, seed)
    assert bits(model, optimizer) == bits(other_model, other)


@both
def test_a_copy_before_the_first_step_and_of_an_optimizer_alone(how):
    model = Net()
    optimizer = optim.Adam(model.parameters())
    alone = HOW[how](optimizer)
    assert alone.state == {} and not {id(p) for p in alone.param_groups[0]["params"]} & {
        id(p) for p in model.parameters()
    }
    for p, q in zip(model.parameters(), alone.param_groups[0]["params"], strict=True):
        p.grad = q.grad = np.ones(p.shape)
    optimizer.step()
    alone.step()
    for p, q in zip(model.parameters(), alone.param_groups[0]["params"], strict=True):
        assert p.data.tobytes() == q.data.tobytes() and p.name == q.name


@both
def test_a_copy_of_an_optimizer_with_a_compiled_step(how):
    model, x = Net(), np.ones((6, 3), np.float32)
    optimizer, loader = optim.Adam(model.parameters()), DataLoader(TensorDataset(x, x[:, :1]), 2)
    options = {"progress": False, "compiled": True}
    fit(model, nn.MSELoss(), optimizer, loader, epochs=1, **options)
    other_model, other = HOW[how]((model, optimizer))
    fit(model, nn.MSELoss(), optimizer, loader, epochs=2, **options)
    fit(other_model, nn.MSELoss(), other, loader, epochs=2, **options)
    assert bits(model, optimizer) == bits(other_model, other)


def test_a_shallow_copy_says_what_to_write():
    optimizer = optim.SGD(Net().parameters())
    with pytest.raises(TypeError, match=r"write copy.deepcopy\(\(model, optimizer\)\)"):
        copy.copy(optimizer)
    with pytest.raises(TypeError, match=r"write copy.deepcopy\(\(optimizer, scheduler\)\)"):
        copy.copy(LRScheduler(optimizer, schedules.constant(0.5)))


GO_ON = """
def go_on(params, optimizer, scheduler):
    for i in range(3):
        for p in params:
            p.grad = np.sin(np.arange(p.numel()).reshape(p.shape) + i)
        optimizer.step()
        scheduler.step()
    return [p.data.tobytes().hex() for p in params], [group["lr"] for group in optimizer.param_groups]
"""


@pytest.mark.parametrize("which", ["numpy", "numba"])
def test_unpickled_in_another_process_it_goes_on_bit_for_bit(which, tmp_path, searches):
    """Every optimizer, by NumPy; by machine code, which is compiled first and has the same bits, some of them."""
    classes = list(optim.OPTIMIZERS.values())
    if which == "numba":
        classes = searches.sample("pickled optimizers", classes, 8, key=lambda cls: cls.__name__)
    names = {"np": np}
    exec(GO_ON, names)
    runs = []
    with backend.using(which):
        for cls in classes:
            params = [tensor(np.arange(6.0).reshape(2, 3), requires_grad=True), tensor([0.5], requires_grad=True)]
            optimizer = cls(params)
            schedule = schedules.warmup(3).then(schedules.cosine(9))
            runs.append((params, optimizer, LRScheduler(optimizer, schedule)))
            names["go_on"](*runs[-1])
        (tmp_path / "runs").write_bytes(pickle.dumps(runs))
        expected = str([names["go_on"](*each) for each in runs])
    code = (
        f"import pickle, sys, numpy as np\nfrom tinygrad_lr import backend\n{GO_ON}\nwith backend.using({which!r}):\n"
        "    print([go_on(*each) for each in pickle.load(open(sys.argv[1], 'rb'))])"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "runs")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == expected


# Schedules and schedulers.


def halving(step):
    return 0.5**step


@both
def test_schedules_and_schedulers_are_copied_with_their_optimizer(how):
    deep = schedules.constant(0.5)
    for _ in range(3000):
        deep = deep * 1.0
    assert HOW[how](deep)(3) == 0.5
    for build in (
        lambda o: LRScheduler(o, schedules.cosine(10)),
        lambda o: LRScheduler(o, halving),
        lambda o: GradualWarmupScheduler(o, 10, 5),
    ):
        optimizer = optim.SGD(Net().parameters(), lr=0.1)
        optimizer.step()
        scheduler = build(optimizer)
        scheduler.step()
        other_optimizer, other = HOW[how]((optimizer, scheduler))
        assert other.optimizer is other_optimizer and other.get_lr() == scheduler.get_lr()
        before = optimizer.param_groups[0]["lr"]
        other.step()
        assert optimizer.param_groups[0]["lr"] == before == scheduler.get_lr()[0] != other.get_lr()[0]
        scheduler.step()
        assert optimizer.param_groups[0]["lr"] == other_optimizer.param_groups[0]["lr"]


@both
def test_two_schedulers_multiply_in_the_copy_too(how):
    optimizer = optim.SGD(Net().parameters(), lr=0.1)
    optimizer.step()
    pair = [LRScheduler(optimizer, schedules.cosine(10)), LRScheduler(optimizer, halving)]
    other_optimizer, *others = HOW[how]((optimizer, *pair))
    for _ in range(4):
        for each in (*pair, *others):
            each.step()
        assert optimizer.param_groups[0]["lr"] == other_optimizer.param_groups[0]["lr"]
    assert optimizer.param_groups[0]["lr"] == 0.5**4 * (schedules.cosine(10)(4) * 0.1)


def test_a_scheduler_with_a_lambda_is_copied_and_says_why_it_is_not_pickled():
    optimizer = optim.SGD(Net().parameters(), lr=0.1)
    scheduler = LRScheduler(optimizer, lambda step: 0.5**step)
    assert copy.deepcopy(scheduler).get_lr() == [0.1]
    with pytest.raises(TypeError, match="function '.*<lambda>' cannot be pickled: give it a function at the top"):
        pickle.dumps(scheduler)


# Threads.


def together(count, work):
    """Run `work(i)` in some threads that begin at one time; raise what one of them raised."""
    barrier, errors = threading.Barrier(count), []

    def run(i):
        barrier.wait()
        try:
            work(i)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    finally:
        sys.setswitchinterval(before)
    if errors:
        raise errors[0]


def test_steps_of_threads_that_share_sgd_are_counted_as_they_move():
    w = tensor(np.zeros(100), dtype="float64", requires_grad=True)
    optimizer = optim.SGD([w], lr=1.0)
    w.grad = -np.ones(100)
    together(4, lambda i: [optimizer.step() for _ in range(500)])
    assert set(w.data.tolist()) == {2000.0} and optimizer.state[w]["step"] == 2000


@pytest.mark.parametrize("cls", optim.OPTIMIZERS.values(), ids=optim.OPTIMIZERS)
def test_steps_of_threads_are_those_of_one_thread(cls):
    def made():
        params = [tensor(np.full(n, 0.5, np.float32), requires_grad=True) for n in (50, 75)]
        for param in params:
            param.grad = np.ones(param.shape)
        return params, cls(params)

    params, optimizer = made()
    together(4, lambda i: [optimizer.step() for _ in range(25)])
    others, other = made()
    for _ in range(100):
        other.step()
    assert [p.data.tobytes() for p in params] == [p.data.tobytes() for p in others]
    assert all(len(set(p.data.tolist())) == 1 for p in params) and {s["step"] for s in optimizer.state.values()} == {
        100
    }


def test_a_closure_belongs_to_its_step_and_everything_else_waits():
    w = tensor(np.zeros(3), dtype="float64", requires_grad=True)
    optimizer = optim.Adam([w], lr=0.1)

    def closure():
        optimizer.zero_grad()
        (w * 1.0).sum().backward()
        return w.grad.tolist()

    def work(i):
        for _ in range(30):
            if i < 2:
                assert optimizer.step(closure) == [1.0, 1.0, 1.0]
            elif i == 2:
                saved = optimizer.state_dict()
                entry = saved["state"].get(0)
                assert entry is None or (len(set(entry["exp_avg"].tolist())) == 1 and entry["step"] > 0)
                assert len(set(copy.deepcopy(optimizer).state_dict()["state"].get(0, {"step": 0}))) in (1, 3)
            else:
                optimizer.add_param_group({"params": tensor([1.0], requires_grad=True)})

    together(4, work)
    assert optimizer.state[w]["step"] == 60 and len(optimizer.param_groups) == 31
