"""torch's schedulers by their names: its arguments, its rates where both agree, and the differences that are told."""

import copy
import inspect
import pickle
import warnings

import numpy as np
import pytest
from schedule_cases import Groups

from tinygrad_lr import optim, schedules, tensor
from tinygrad_lr.optim import lr_scheduler
from tinygrad_lr.optim.lr_scheduler import SCHEDULERS, HyperparameterScheduler, LRScheduler
from tinygrad_lr.verify.properties.schedules import check_resume, rates

EXAMPLES = [(name, i) for name, row in SCHEDULERS.items() for i in range(len(row.examples))]
of_torch = pytest.mark.parametrize(("name", "index"), EXAMPLES)
EPOCHS = 30


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="torch 2.13 is not installed here (extra `peers`)")


def ours(kind=optim.SGD, bases=(0.05, 0.5), **options):
    options = {"momentum": 0.9} if kind is optim.SGD else options
    return kind([{"params": [tensor([1.0], requires_grad=True)], "lr": lr} for lr in bases], lr=1.0, **options)


def theirs(torch, kind="SGD", bases=(0.05, 0.5), **options):
    options = {"momentum": 0.9} if kind == "SGD" else options
    groups = [{"params": [torch.ones(1, requires_grad=True)], "lr": lr} for lr in bases]
    return getattr(torch.optim, kind)(groups, lr=1.0, **options)


def seen(optimizer, scheduler, epochs=EPOCHS):
    """Rates and momentum of all groups at each epoch."""
    found = []
    for _ in range(epochs):
        groups = optimizer.param_groups
        momentum = [group["betas"][0] if "betas" in group else group.get("momentum", 0.0) for group in groups]
        found.append([float(group["lr"]) for group in groups] + momentum)
        if hasattr(optimizer, "has_stepped"):  # one of ours; torch's first step takes ten seconds
            optimizer.step()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scheduler.step()
    return np.array(found)


def close(found, expected):
    """torch multiplies its rate at each epoch, a rounding or four each, which add up."""
    bound = 4 * EPOCHS * np.finfo(np.float64).eps * np.abs(expected).max(axis=0)
    assert (np.abs(found - expected) <= bound).all(), np.abs(found - expected).max(axis=0)


def test_every_scheduler_of_torch_has_its_row(torch):
    module = torch.optim.lr_scheduler
    known = {
        name for name, each in vars(module).items() if inspect.isclass(each) and issubclass(each, module.LRScheduler)
    }
    assert known - {"LRScheduler", "_LRScheduler"} == set(SCHEDULERS)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_arguments_are_torchs(name, torch):
    mine = inspect.signature(getattr(lr_scheduler, name)).parameters.values()
    other = inspect.signature(getattr(torch.optim.lr_scheduler, name)).parameters.values()
    assert [(each.name, each.default) for each in mine] == [(each.name, each.default) for each in other]


@of_torch
def test_rates_are_torchs(name, index, torch):
    arguments = SCHEDULERS[name].examples[index]
    optimizer, other = ours(), theirs(torch)
    expected = seen(other, getattr(torch.optim.lr_scheduler, name)(other, **arguments))
    close(seen(optimizer, SCHEDULERS[name].cls(optimizer, **arguments)), expected)
    again = theirs(torch)
    close(seen(again, SCHEDULERS[name].cls(again, **arguments)), expected)


@of_torch
def test_resume_at_every_epoch_in_every_order(name, index):
    build = lambda optimizer: SCHEDULERS[name].cls(optimizer, **SCHEDULERS[name].examples[index])  # noqa: E731
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the optimizer makes no steps
        check_resume(ours, build, 10)
    straight = ours()
    expected = seen(straight, build(straight), 12)
    for stop in (1, 5, 11):
        second = ours()
        for group, base in zip(second.param_groups, (0.05, 0.5), strict=True):
            group["initial_lr"] = base
        again = SCHEDULERS[name].cls(second, **SCHEDULERS[name].examples[index], last_epoch=stop - 1)
        assert np.array_equal(seen(second, again, 12 - stop), expected[stop:])


@of_torch
def test_copies_go_on_by_themselves(name, index):
    optimizer = ours()
    scheduler = SCHEDULERS[name].cls(optimizer, **SCHEDULERS[name].examples[index])
    seen(optimizer, scheduler, 4)
    second, again = copy.deepcopy((optimizer, scheduler))
    assert np.array_equal(seen(second, again, 6), seen(optimizer, scheduler, 6))


@pytest.mark.parametrize("kind", ["Adam", "AdamW"])
def test_one_cycle_and_cyclic_move_the_first_of_the_betas(kind, torch):
    for name, arguments in (
        ("OneCycleLR", {"max_lr": [0.1, 0.2], "total_steps": 30, "base_momentum": [0.8, 0.7], "max_momentum": 0.95}),
        ("OneCycleLR", {"max_lr": 0.1, "total_steps": 30, "three_phase": True, "anneal_strategy": "linear"}),
        ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "mode": "triangular2"}),
    ):
        optimizer, other = ours(getattr(optim, kind)), theirs(torch, kind)
        expected = seen(other, getattr(torch.optim.lr_scheduler, name)(other, **arguments))
        found = seen(optimizer, SCHEDULERS[name].cls(optimizer, **arguments))
        close(found, expected)
        assert len({*found[:, 2]}) > 3 and {group["betas"][1] for group in optimizer.param_groups} == {0.999}


def first_rates(scheduler, epochs):
    found = []
    for _ in range(epochs):
        found.append(float(scheduler.optimizer.param_groups[0]["lr"]))
        scheduler.optimizer.step()
        scheduler.step()
    return found


DIFFERENCES = {  # of each row that differs: arguments, torch's rates, ours, at base rate 1
    "ConstantLR": [
        ({"factor": 0.5, "total_iters": 0}, [0.5, 0.5, 0.5], [1.0, 1.0, 1.0]),
        ({"factor": 0.0, "total_iters": 2}, [0.0, 0.0, ZeroDivisionError], [0.0, 0.0, 1.0]),
    ],
    "LinearLR": [({"start_factor": 0.5, "total_iters": 0}, [0.5, 0.5, 0.5], [1.0, 1.0, 1.0])],
    "PolynomialLR": [({"total_iters": 0}, [1.0, 1.0, 1.0], [0.0, 0.0, 0.0])],
    "CosineAnnealingLR": [({"T_max": 0, "eta_min": 0.5}, [1.0, ZeroDivisionError], [0.5, 0.5])],
    "OneCycleLR": [
        (
            {"max_lr": 1.0, "total_steps": 3, "anneal_strategy": "linear", "div_factor": 2.0},
            [None, None, 0.00005, -0.5, ValueError],
            [None, None, 0.00005, 0.00005, 0.00005],
        ),
        ({"max_lr": 1.0, "total_steps": 2, "pct_start": 0.5}, "raises", [1.0]),
    ],
}


@pytest.mark.filterwarnings("ignore:Detected call of:UserWarning")
def test_in_torchs_chains_some_schedulers_set_their_own_rates(torch):
    def chain(made, optimizer):
        parts = [made.ConstantLR(optimizer, 0.5, 3), made.LambdaLR(optimizer, lambda epoch: 0.9**epoch)]
        return made.ChainedScheduler(parts)

    factors = [0.9**epoch for epoch in range(5)]
    theirs_ = chain(torch.optim.lr_scheduler, theirs(torch, bases=[1.0]))
    found = []
    for _ in factors:
        found.append(theirs_.optimizer.param_groups[0]["lr"])
        theirs_.step()
    assert found == pytest.approx(factors)
    mine = first_rates(chain(optim.lr_scheduler, ours(bases=[1.0])), 5)
    assert mine == pytest.approx([0.5 * each for each in factors[:3]] + factors[3:])


@pytest.mark.filterwarnings("ignore:Detected call of:UserWarning")  # torch's optimizer makes no steps
def test_the_differences_are_those_that_the_table_tells(torch):
    for name, cases in DIFFERENCES.items():
        assert SCHEDULERS[name].differs
        for arguments, torchs, mine in cases:
            scheduler = SCHEDULERS[name].cls(ours(bases=[1.0]), **arguments)
            for rate, expected in zip(first_rates(scheduler, len(mine)), mine, strict=True):
                assert expected is None or rate == pytest.approx(expected, abs=1e-3)
            build = lambda: getattr(torch.optim.lr_scheduler, name)(theirs(torch, bases=[1.0]), **arguments)  # noqa: B023, E731
            if torchs == "raises":
                with pytest.raises(ZeroDivisionError):
                    build()
                continue
            other = build()
            for expected, then in zip(torchs, [*torchs[1:], None], strict=True):
                if isinstance(expected, type):
                    break
                rate = other.optimizer.param_groups[0]["lr"]
                assert expected is None or rate == pytest.approx(expected, abs=0.2 if expected < 0 else 1e-3)
                if isinstance(then, type):
                    with pytest.raises(then, match="Tried to step|by zero"):
                        other.step()
                else:
                    other.step()


def test_the_cosine_comes_back_and_can_be_held(torch):
    scheduler = lr_scheduler.CosineAnnealingLR(ours(bases=[1.0]), T_max=4, eta_min=0.5)
    found = first_rates(scheduler, 18)
    assert [found[epoch] for epoch in (0, 4, 8, 12, 16)] == [1.0, 0.5, 1.0, 0.5, 1.0]
    assert found[4:8] == found[12:16] and found[3] == found[5]  # to the bit, however long it goes on
    scheduler.load_state_dict({"last_epoch": 8 * 10**17 + 4})
    assert scheduler.get_last_lr() == [0.5]
    held = LRScheduler(ours(bases=[1.0]), schedules.cosine(4, 0.5))
    assert first_rates(held, 9) == found[:5] + [0.5] * 4


def test_a_restart_that_torch_misses(torch):
    other = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(theirs(torch, bases=[1.0]), T_0=1, T_mult=3)
    scheduler = lr_scheduler.CosineAnnealingWarmRestarts(ours(bases=[1.0]), T_0=1, T_mult=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other.step(121)
    scheduler.load_state_dict({"last_epoch": 121})
    assert scheduler.get_last_lr() == [1.0] and other.get_last_lr()[0] < 1e-3


@pytest.mark.parametrize("multiple", [1, 2, 3])
def test_warm_restarts_go_to_parts_of_epochs_as_torchs(multiple, torch):
    arguments = {"T_0": 3, "T_mult": multiple, "eta_min": 0.01}
    optimizer, other = ours(), theirs(torch)
    mine = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, **arguments)
    torchs = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(other, **arguments)
    optimizer.step()
    for epoch in (0, 0.25, 0.5, 1, 2.75, 3, None, None, 7.5, None, 20.125, 1.5):
        mine.step(epoch)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torchs.step(epoch)
        assert mine.get_last_lr() == rates_of(optimizer) == pytest.approx(rates_of(other), rel=1e-13)
        assert int(mine.last_epoch) == torchs.last_epoch
    saved = pickle.loads(pickle.dumps((optimizer.state_dict(), mine.state_dict())))
    second = ours()
    again = lr_scheduler.CosineAnnealingWarmRestarts(second, **arguments)
    second.load_state_dict(saved[0])
    again.load_state_dict(saved[1])
    assert saved[1] == {"last_epoch": 1.5} and rates_of(second) == rates_of(optimizer)


def rates_of(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


def test_what_epochs_may_be():
    scheduler = lr_scheduler.StepLR(ours(), 3)
    scheduler.optimizer.step()
    for epoch, error in ((-1, ValueError), (1.5, TypeError), ("2", TypeError), (True, TypeError)):
        with pytest.raises(error, match="epoch must be a whole number of at least 0"):
            scheduler.step(epoch)
    restarts = lr_scheduler.CosineAnnealingWarmRestarts(ours(), 3)
    restarts.optimizer.step()
    for epoch, error in ((-0.5, ValueError), (float("nan"), ValueError), ("2", TypeError)):
        with pytest.raises(error, match="epoch must be"):
            restarts.step(epoch)
    with pytest.raises(ValueError, match="at most 2"):
        restarts.load_state_dict({"last_epoch": 1e300})
    assert scheduler.last_epoch == restarts.last_epoch == 0
    restarts.step(1.5)
    with pytest.raises(ValueError, match="at epoch 1.5; ChainedScheduler begins at a whole epoch"):
        lr_scheduler.ChainedScheduler([restarts])


def test_what_a_multiplicative_function_may_give():
    scheduler = lr_scheduler.MultiplicativeLR(ours(), lambda epoch: None if epoch == 2 else 0.5)
    scheduler.optimizer.step()
    scheduler.step()
    with pytest.raises(TypeError, match=r"lr_lambda\(2\) must be a real number, got None"):
        scheduler.step()
    assert scheduler.last_epoch == 1
    with pytest.raises(ValueError, match="0 values, and the optimizer has 2 groups"):
        lr_scheduler.MultiplicativeLR(ours(), [])


# Schedulers that are made of others.

COMPOSITES = {
    "sequence": lambda m, o: m.SequentialLR(
        o, [m.LinearLR(o, 0.25, 1.0, 4), m.CosineAnnealingLR(o, 20, 0.01), m.ExponentialLR(o, 0.9)], milestones=[4, 24]
    ),
    "milestone 0": lambda m, o: m.SequentialLR(o, [m.ConstantLR(o, 0.5, 99), m.ExponentialLR(o, 0.9)], milestones=[0]),
    "chain": lambda m, o: m.ChainedScheduler([m.ConstantLR(o, 0.1, 5), m.ExponentialLR(o, 0.9), m.StepLR(o, 7, 0.5)]),
    "one cycle in a sequence": lambda m, o: m.SequentialLR(
        o, [m.ConstantLR(o, 0.5, 99), m.OneCycleLR(o, 0.3, total_steps=26)], milestones=[4]
    ),
}


@pytest.mark.parametrize("name", ["sequence", "chain"])
def test_composites_have_torchs_rates(name, torch):
    optimizer, other = ours(), theirs(torch)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = seen(other, COMPOSITES[name](torch.optim.lr_scheduler, other))
    close(seen(optimizer, COMPOSITES[name](lr_scheduler, optimizer)), expected)


def test_a_sequence_is_its_schedules_one_after_another():
    optimizer = Groups(0.1)
    scheduler = COMPOSITES["sequence"](lr_scheduler, optimizer)
    whole = schedules.warmup(4, 0.25).then(schedules.cosine(20, 0.01 / 0.1)).then(schedules.exponential_decay(0.9))
    for epoch in range(30):
        assert rates(optimizer)[0] == pytest.approx(whole(epoch) * 0.1, rel=1e-14)
        scheduler.step()
    optimizer = Groups(0.1)
    scheduler = COMPOSITES["milestone 0"](lr_scheduler, optimizer)
    assert rates(optimizer) == [0.1]  # which torch #185872 has not
    scheduler.step()
    assert rates(optimizer) == [0.1 * 0.9]
    optimizer = ours(bases=[0.1])
    found = seen(optimizer, COMPOSITES["one cycle in a sequence"](lr_scheduler, optimizer))
    assert found[0, 1] == 0.95 and found[4, 1] == 0.95 and found[4, 0] == 0.3 / 25 and found[3, 0] == 0.05


@pytest.mark.parametrize("name", COMPOSITES)
@pytest.mark.filterwarnings("ignore:scheduler.step:UserWarning")
def test_composites_resume_and_nest(name):
    check_resume(ours, lambda o: COMPOSITES[name](lr_scheduler, o), 8)

    def nested(optimizer):
        inner = COMPOSITES[name](lr_scheduler, optimizer)
        second = lr_scheduler.ChainedScheduler([lr_scheduler.StepLR(optimizer, 2, 0.5)])
        outer = lr_scheduler.SequentialLR(optimizer, [inner, second], milestones=[5])
        return lr_scheduler.ChainedScheduler([outer, lr_scheduler.ExponentialLR(optimizer, 0.9)])

    check_resume(ours, nested, 9)
    optimizer = ours()
    scheduler = nested(optimizer)
    assert scheduler.state_dict() == {"last_epoch": 0}
    seen(optimizer, scheduler, 3)
    second, again = copy.deepcopy((optimizer, scheduler))
    assert np.array_equal(seen(second, again, 6), seen(optimizer, scheduler, 6))
    single = ours()
    inner = COMPOSITES[name](lr_scheduler, single)
    expected = seen(single, inner, 5)[:, :2] * 0.9 ** np.arange(5)[:, None]
    fresh = ours()
    assert np.allclose(seen(fresh, nested(fresh), 5)[:, :2], expected, rtol=1e-14)


def test_a_sequence_skips_a_scheduler_between_equal_milestones_as_torchs(torch):
    def build(m, optimizer):
        parts = [m.ConstantLR(optimizer, 0.5, 9), m.ExponentialLR(optimizer, 0.9), m.StepLR(optimizer, 2, 0.1)]
        return m.SequentialLR(optimizer, parts, milestones=[3, 3])

    optimizer, other = ours(), theirs(torch)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = seen(other, build(torch.optim.lr_scheduler, other), 10)
    close(seen(optimizer, build(lr_scheduler, optimizer), 10), expected)
    with pytest.raises(ValueError, match="milestones must be in ascending order, got \\[3, 2\\]"):
        parts = [lr_scheduler.StepLR(optimizer, 3) for _ in range(3)]
        lr_scheduler.SequentialLR(optimizer, parts, milestones=[3, 2])


def test_a_sequence_resumes_at_a_last_epoch():
    """torch #162591: there, last_epoch is ignored."""

    def build(optimizer, **options):
        parts = [lr_scheduler.LinearLR(optimizer, 0.25, 1.0, 4), lr_scheduler.ExponentialLR(optimizer, 0.9)]
        return lr_scheduler.SequentialLR(optimizer, parts, milestones=[4], **options)

    straight = ours()
    expected = seen(straight, build(straight), 12)
    for stop in (1, 4, 5, 11):
        optimizer = ours()
        again = build(optimizer, last_epoch=stop - 1)
        assert np.array_equal(seen(optimizer, again, 12 - stop), expected[stop:])


def test_what_composites_refuse():
    optimizer, other = Groups(0.1), Groups(0.1)
    one, two = lr_scheduler.StepLR(optimizer, 3), lr_scheduler.ExponentialLR(optimizer, 0.9)
    cases = [
        (lambda: lr_scheduler.SequentialLR(optimizer, [], []), ValueError, "at least one scheduler"),
        (lambda: lr_scheduler.ChainedScheduler([]), ValueError, "at least one scheduler"),
        (lambda: lr_scheduler.SequentialLR(optimizer, [one, two], []), ValueError, "2 schedulers need 1 milestones"),
        (lambda: lr_scheduler.SequentialLR(optimizer, [one, one], [3]), ValueError, "stands twice"),
        (lambda: lr_scheduler.SequentialLR(other, [one, two], [3]), ValueError, "drives another optimizer"),
        (lambda: lr_scheduler.SequentialLR(optimizer, [one, 3], [3]), TypeError, "must be a scheduler .* got int"),
        (
            lambda: lr_scheduler.ChainedScheduler([one, lr_scheduler.ReduceLROnPlateau(optimizer)]),
            TypeError,
            "needs a metric",
        ),
    ]
    for call, error, message in cases:
        with pytest.raises(error, match=message):
            call()
    two.step()
    with pytest.raises(ValueError, match=r"at the epochs \[0, 1\]"):
        lr_scheduler.ChainedScheduler([one, two])
    whole = lr_scheduler.ChainedScheduler([one])
    with pytest.raises(RuntimeError, match="part of another scheduler"):
        one.step()
    with pytest.raises(ValueError, match="part of another scheduler"):
        lr_scheduler.ChainedScheduler([one])
    assert whole.last_epoch == 0
    weight = HyperparameterScheduler(ours(), "momentum", schedules.cosine(3))
    beside = lr_scheduler.StepLR(weight.optimizer, 3)
    with pytest.raises(ValueError, match="schedulers of one number"):
        lr_scheduler.ChainedScheduler([weight, beside])


# Reduce on plateau.


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"patience": 0, "factor": 0.5},
        {"mode": "max", "patience": 2, "factor": 0.5},
        {"threshold_mode": "abs", "threshold": 0.3, "patience": 1},
        {"mode": "max", "threshold_mode": "abs", "threshold": 0.3, "patience": 1, "factor": 0.3},
        {"threshold": 0.2, "patience": 1, "cooldown": 3, "factor": 0.7},
        {"patience": 0, "factor": 0.1, "min_lr": [1e-3, 2e-2]},
        {"patience": 0, "factor": 0.9, "eps": 2e-3},
    ],
)
def test_plateaus_are_torchs_for_positive_metrics(options, torch):
    metrics = np.random.default_rng(0).uniform(0.5, 2.0, 200) + np.linspace(1, 0, 200)
    optimizer, other = ours(), theirs(torch)
    mine = lr_scheduler.ReduceLROnPlateau(optimizer, **options)
    torchs = torch.optim.lr_scheduler.ReduceLROnPlateau(other, **options)
    for metric in metrics:
        mine.step(metric)
        torchs.step(metric)
        assert (mine.best, mine.num_bad_epochs, mine.cooldown_counter) == (
            torchs.best, torchs.num_bad_epochs, torchs.cooldown_counter,
        )  # fmt: skip
        assert rates(optimizer) == pytest.approx(rates(other), rel=1e-13)
    if options:
        assert rates(optimizer) != [0.05, 0.5]


def test_a_negative_metric_must_get_better(torch):
    """torch's limit for a best of -10 is -9.999, which is worse."""
    for mode, best, worse, better in (("min", -10.0, -9.9995, -10.5), ("max", -10.0, -10.0005, -9.5)):
        mine = lr_scheduler.ReduceLROnPlateau(Groups(1.0), mode=mode)
        torchs = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs(torch), mode=mode)
        mine.step(best)
        torchs.step(best)
        assert not mine.is_better(worse) and torchs._is_better(worse, torchs.best)
        assert mine.is_better(better) and not mine.is_better(best)


def test_plateaus_resume_and_multiply():
    metrics = [3.0, 2.0, 2.5, 2.4, 2.2, 2.1, 2.05, 1.0, 1.1, 1.2, 1.3, 1.2]
    new = lambda: Groups(0.1, 0.003)  # noqa: E731
    build = lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=1, factor=0.5, cooldown=1, min_lr=0.001)  # noqa: E731
    optimizer = new()
    scheduler, found, saved = build(optimizer), [], []
    for metric in metrics:
        found.append(rates(optimizer))
        saved.append(copy.deepcopy((optimizer.state_dict(), scheduler.state_dict())))
        scheduler.step(metric)
    assert len({tuple(each) for each in found}) > 2
    for cut in range(len(metrics)):
        for order in (0, 1):
            second = new()
            again = build(second)
            (second, again)[order].load_state_dict(copy.deepcopy(saved[cut][order]))
            (second, again)[1 - order].load_state_dict(copy.deepcopy(saved[cut][1 - order]))
            for epoch in range(cut, len(metrics)):
                assert rates(second) == found[epoch]
                again.step(metrics[epoch])
    both = new()
    falling, plateau = lr_scheduler.ExponentialLR(both, 0.9), build(both)
    for epoch, metric in enumerate(metrics[:6]):
        assert rates(both)[0] == pytest.approx(found[epoch][0] * 0.9**epoch, rel=1e-12)
        falling.step()
        plateau.step(tensor([metric]) if epoch else np.float32(metric))
    assert rates(both) == plateau.get_last_lr()


def test_what_plateaus_refuse():
    scheduler = lr_scheduler.ReduceLROnPlateau(Groups(0.1), patience=0)
    scheduler.step(1.0)
    before = scheduler.state_dict()
    with pytest.raises(ValueError, match="must not be NaN"):
        scheduler.step(float("nan"))
    with pytest.raises(TypeError, match="metrics must be a real number"):
        scheduler.step("1")
    assert scheduler.state_dict() == before
    scheduler.step(float("inf"))
    assert rates(scheduler.optimizer) == [0.1 * 0.1]
    for bad in ({}, {"last_epoch": 1}, {**before, "last_epoch": 1.5}, {**before, "best": float("nan")}, None):
        with pytest.raises(ValueError, match="plateau's state|last_epoch|best"):
            scheduler.load_state_dict(bad)
    for options, message in (
        ({"factor": 1.0}, "factor must be below 1"),
        ({"mode": "least"}, "mode must be one of"),
        ({"threshold_mode": "least"}, "threshold_mode must be one of"),
        ({"min_lr": [0.1, 0.2]}, "min_lr has 2 values, and the optimizer has 1 groups"),
        ({"patience": -1}, "patience"),
    ):
        with pytest.raises(ValueError, match=message):
            lr_scheduler.ReduceLROnPlateau(Groups(0.1), **options)


# Any hyperparameter, and one schedule for each group.


def test_a_schedule_for_each_group():
    optimizer = Groups(0.1, 0.2)
    scheduler = LRScheduler(optimizer, [schedules.constant(0.5), lambda epoch: 1 / (1 + epoch)])
    scheduler.step()
    assert rates(optimizer) == [0.05, 0.1]
    with pytest.raises(ValueError, match="schedule has 1 values, and the optimizer has 2 groups"):
        LRScheduler(optimizer, [schedules.constant(0.5)])
    optimizer.add_param_group({"lr": 0.3})
    with pytest.raises(ValueError, match="schedule has 2 values, and the optimizer has 3 groups"):
        scheduler.step()
    assert scheduler.last_epoch == 1


@pytest.mark.filterwarnings("ignore:scheduler.step:UserWarning")
def test_weight_decay_momentum_and_betas_follow_schedules():
    decay = schedules.warmup(3, 0.5).then(schedules.cosine(6))

    def new():
        groups = [
            {"params": [tensor([1.0], requires_grad=True)], "weight_decay": 0.1},
            {"params": [tensor([1.0], requires_grad=True)], "weight_decay": 0.2, "betas": (0.8, 0.99)},
        ]
        return optim.AdamW(groups, lr=0.1)

    optimizer = new()
    scheduler = HyperparameterScheduler(optimizer, "weight_decay", decay)
    other = LRScheduler(optimizer, schedules.cosine(4))
    beta = HyperparameterScheduler(optimizer, "betas[0]", [schedules.constant(), schedules.linear(4, 1.0, 0.5)])
    for epoch in range(10):
        assert [group["weight_decay"] for group in optimizer.param_groups] == [decay(epoch) * 0.1, decay(epoch) * 0.2]
        assert rates(optimizer) == [schedules.cosine(4)(epoch) * 0.1] * 2
        assert optimizer.param_groups[0]["betas"] == (0.9, 0.999)
        assert optimizer.param_groups[1]["betas"] == (schedules.linear(4, 1.0, 0.5)(epoch) * 0.8, 0.99)
        optimizer.step()
        for each in (scheduler, other, beta):
            each.step()
    # resumed in any order, bit for bit
    for stop in range(6):
        first = new()
        scheduler = HyperparameterScheduler(first, "weight_decay", decay)
        for _ in range(stop):
            scheduler.step()
        for built_first in (True, False):
            second = new()
            again = HyperparameterScheduler(second, "weight_decay", decay) if built_first else None
            second.load_state_dict(first.state_dict())
            again = again or HyperparameterScheduler(second, "weight_decay", decay)
            again.load_state_dict(pickle.loads(pickle.dumps(scheduler.state_dict())))
            for _ in range(3):
                again.step()
            values = [group["weight_decay"] for group in second.param_groups]
            assert values == [decay(stop + 3) * 0.1, decay(stop + 3) * 0.2]


def test_what_a_hyperparameter_scheduler_refuses():
    with pytest.raises(ValueError, match="has no 'momentum'; it has .*betas"):
        HyperparameterScheduler(optim.Adam([tensor([1.0], requires_grad=True)]), "momentum", schedules.cosine(3))
    for name in ("", "betas[", "a b", 3):
        with pytest.raises(TypeError, match="name must be a key of the groups"):
            HyperparameterScheduler(ours(), name, schedules.cosine(3))
    with pytest.raises(ValueError, match="base momentum must be at least 0"):
        HyperparameterScheduler(
            type("O", (), {"param_groups": [{"lr": 1.0, "momentum": -1.0}]})(), "momentum", schedules.cosine(3)
        )
    with pytest.raises(ValueError, match="cycle_momentum=True needs groups with 'momentum' or 'betas'"):
        lr_scheduler.OneCycleLR(Groups(0.1), 0.1, total_steps=3)
    with pytest.raises(ValueError, match="needs total_steps, or epochs and steps_per_epoch"):
        lr_scheduler.OneCycleLR(ours(), 0.1, epochs=3)


def test_fit_trains_with_scheduled_momentum_and_decay_compiled_and_not():
    """A callback steps them; steps made by hand end with the same parameters, bit for bit."""
    from tinygrad_lr import manual_seed, nn, randn
    from tinygrad_lr.data import DataLoader, TensorDataset
    from tinygrad_lr.training import fit

    def begun():
        manual_seed(0)
        inputs = randn(32, 3)
        loader = DataLoader(TensorDataset(inputs, inputs[:, :1] * 2), batch_size=8)
        model = nn.Linear(3, 1)
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
        decay = HyperparameterScheduler(optimizer, "weight_decay", schedules.cosine(8))
        return model, optimizer, loader, (decay, lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=8))

    class Steps:
        def __init__(self, drivers):
            self.drivers = drivers

        def on_step(self, training):
            for each in self.drivers:
                each.step()

    trained = []
    for compiled in (False, True):
        model, optimizer, loader, drivers = begun()
        fit(model, nn.MSELoss(), optimizer, loader, epochs=2, callbacks=[Steps(drivers)], compiled=compiled)
        trained.append(model.weight.numpy().copy())
        assert drivers[0].last_epoch == 8 and optimizer.param_groups[0]["weight_decay"] == 0.0
    model, optimizer, loader, drivers = begun()
    for _ in range(2):
        for inputs, targets in loader:
            optimizer.zero_grad()
            nn.MSELoss()(model(inputs), targets).backward()
            optimizer.step()
            for each in drivers:
                each.step()
    plain, optimizer, loader, _ = begun()
    fit(plain, nn.MSELoss(), optimizer, loader, epochs=2)
    assert np.array_equal(trained[0], model.weight.numpy())
    # a compiled step sums a batch in another order: a few roundings of 8 steps
    np.testing.assert_allclose(trained[1], trained[0], rtol=0, atol=1e-6)
    assert np.abs(trained[0] - plain.weight.numpy()).max() > 1e-3
