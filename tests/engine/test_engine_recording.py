"""no_grad, enable_grad and set_grad_enabled: as blocks, as decorators of functions and of generators; torch beside."""

import asyncio
import importlib
import threading

import pytest

import tinygrad_lr
from tinygrad_lr import enable_grad, is_grad_enabled, no_grad, set_grad_enabled, tensor

OURS = (no_grad, enable_grad, set_grad_enabled, is_grad_enabled)


@pytest.fixture(autouse=True)
def _recording_as_before():
    yield
    assert is_grad_enabled(), "a test left recording switched off"


def library(name):
    if name == "torch":
        pytest.importorskip("torch", reason="torch 2.13 is not installed here (extra `peers`)")
    return importlib.import_module(name)


both = pytest.mark.parametrize("name", ["tinygrad_lr", "torch"])


def recorded(lib):
    """Whether operations are recorded now, as an operation shows it."""
    w = lib.tensor([2.0], requires_grad=True)
    found = (w * w).requires_grad
    assert found is lib.is_grad_enabled()
    return found


# What is tried with a library, and what each `recorded` in it gives.


def blocks(lib):
    with lib.no_grad():
        yield recorded(lib)
        with lib.enable_grad():
            yield recorded(lib)
            with lib.set_grad_enabled(False):
                yield recorded(lib)
            yield recorded(lib)
        yield recorded(lib)
    yield recorded(lib)


def one_block_twice(lib):
    block = lib.no_grad()
    for _ in range(2):
        with block:
            yield recorded(lib)
        yield recorded(lib)


def after_an_error(lib):
    with pytest.raises(ZeroDivisionError), lib.no_grad():
        yield recorded(lib)
        raise ZeroDivisionError
    yield recorded(lib)


def decorated(lib):
    def off(function):
        return lib.set_grad_enabled(False)(function)

    for decorator in (lib.no_grad, lib.no_grad(), lib.enable_grad, lib.enable_grad(), off):

        @decorator
        def inside(depth):
            return [recorded(lib), *(inside(depth - 1) if depth else [])]

        yield recorded(lib)
        yield from inside(2)
        with lib.no_grad():
            yield from inside(0)


def a_method(lib):
    class Model:
        @lib.no_grad
        def predict(self):
            """What it does."""
            return recorded(lib)

    assert Model.predict.__doc__ == "What it does." and Model.predict.__name__ == "predict"
    yield Model().predict()


def at_once(lib):
    lib.set_grad_enabled(False)
    yield recorded(lib)
    lib.set_grad_enabled(True)
    yield recorded(lib)
    with lib.set_grad_enabled(False), lib.set_grad_enabled(mode=True):
        yield recorded(lib)
    yield recorded(lib)


def generators(lib):
    @lib.no_grad
    def numbers():
        """Two values, what is sent, what is thrown, a result."""
        yield recorded(lib)
        sent = yield "ask"
        try:
            yield sent, recorded(lib)
        except KeyError:
            yield "caught", recorded(lib)
        return recorded(lib)

    running = numbers()
    yield next(running)
    yield recorded(lib)
    yield next(running)
    yield running.send(7)
    yield recorded(lib)
    yield running.throw(KeyError())
    with pytest.raises(StopIteration) as end:
        next(running)
    yield end.value.value
    yield list(numbers())


def a_closed_generator(lib):
    found = []

    @lib.no_grad()
    def numbers():
        try:
            yield 1
        finally:
            found.append(recorded(lib))

    running = numbers()
    next(running)
    running.close()
    yield found
    yield recorded(lib)


PROGRAMS = {
    "blocks": (blocks, [False, True, False, True, False, True]),
    "one block twice": (one_block_twice, [False, True] * 2),
    "after an error": (after_an_error, [False, True]),
    "decorated": (
        decorated,
        [True, *[False] * 4, True, *[False] * 4, True, *[True] * 4, True, *[True] * 4, True, *[False] * 4],
    ),
    "a method": (a_method, [False]),
    "at once": (at_once, [False, True, True, True]),
    "generators": (
        generators,
        [False, True, "ask", (7, False), True, ("caught", False), False, [False, "ask", (None, False)]],
    ),
    "a closed generator": (a_closed_generator, [[False], True]),
}


@both
@pytest.mark.parametrize("program", PROGRAMS)
def test_where_operations_are_recorded(name, program):
    run, expected = PROGRAMS[program]
    lib = library(name)
    assert list(run(lib)) == expected


def test_one_block_inside_itself():
    """torch's blocks do not remember both: recording stays off there."""
    block = no_grad()
    with block, block:
        assert not is_grad_enabled()
    assert is_grad_enabled()


def test_another_thread_has_a_mode_of_its_own():
    found = []
    with no_grad():
        other = threading.Thread(target=lambda: found.append(is_grad_enabled()))
        other.start()
        other.join()
    assert found == [True]


async def waits():
    await asyncio.sleep(0)


async def yields():
    yield 1


@pytest.mark.parametrize("decorator", [no_grad, enable_grad, set_grad_enabled(True)], ids=["off", "on", "set"])
@pytest.mark.parametrize(
    ("given", "words"),
    [
        (waits, "asynchronous function waits"),
        (yields, "asynchronous function yields"),
        (int, "decorates functions, got <class 'int'>"),
        (3, "decorates functions, got 3"),
    ],
)
def test_what_cannot_be_decorated_is_refused(decorator, given, words):
    with pytest.raises(TypeError, match=words):
        decorator(given)


def test_the_mode_is_a_bool():
    with pytest.raises(TypeError, match="mode must be True or False, got 'no'"):
        set_grad_enabled("no")


def test_gradients_flow_through_what_a_generator_yields_to_its_caller():
    w = tensor([3.0], requires_grad=True)

    @enable_grad
    def terms():
        for power in (1, 2):
            yield w**power

    with no_grad():
        one, two = terms()
    (one + two).backward()
    assert w.grad.tolist() == [7.0]


def test_they_are_public():
    assert set(each.__name__ for each in OURS) < set(tinygrad_lr.__all__)
