"""Ftrl where the rate changes: sigma is what 1 / eta grew by, so that theta is not pulled to 0."""

import numpy as np
import pytest

from tinygrad_lr import Tensor, optim


def steps(rates, gradients, dtype=np.float64, **settings):
    """Theta after steps from 0 at these rates; a gradient may be a function of theta."""
    theta = Tensor(np.zeros(1, dtype), requires_grad=True)
    optimizer = optim.Ftrl([theta], **settings)
    found = []
    for rate, gradient in zip(rates, gradients, strict=True):
        optimizer.param_groups[0]["lr"] = rate
        theta.grad = np.array([gradient(theta.data[0]) if callable(gradient) else gradient], dtype)
        optimizer.step()
        found.append(theta.data[0])
    return np.array(found)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_at_a_constant_rate_both_forms_have_the_same_bits(dtype):
    gradients = np.random.default_rng(0).normal(size=50)
    both = [steps([0.1] * 50, gradients, dtype, l1=0.05, l2=0.1, sigma_form=form) for form in ("rates", "roots")]
    assert both[0].tobytes() == both[1].tobytes() and np.ptp(both[0]) > 0.1


def test_a_step_without_regularisation_is_one_of_descent_at_any_rate():
    """theta - eta g with eta = lr / sqrt(n): -1 - 0.5 / 5 * 3 after theta = -1; all of its numbers are exact."""
    assert steps([1.0, 0.5], [4.0, 3.0], beta=0.0).tolist() == [-1.0, -1.3]
    assert steps([1.0, 0.5], [4.0, 3.0], beta=0.0, sigma_form="roots").tolist() == [-1.0, -0.9]


def test_steps_at_rate_0_are_passed_over():
    assert steps([0.0, 1.0, 0.0, 0.5], [9.0, 4.0, 9.0, 3.0], beta=0.0).tolist() == [0.0, -1.0, -1.0, -1.3]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_rate_whose_inverse_is_beyond_the_dtype_is_passed_over_like_0(dtype):
    beyond = [1e-40, 1e-46] if dtype is np.float32 else [5e-324, 1e-310]
    found = steps([1.0, *beyond, 0.5], [4.0, 3.0, 0.0, 3.0], dtype, beta=0.0)
    assert found.tolist() == steps([1.0, 0.0, 0.0, 0.5], [4.0, 3.0, 0.0, 3.0], dtype, beta=0.0).tolist()
    assert np.isfinite(found).all()


def test_a_rate_that_halves_for_ever_leaves_theta_alone_in_the_end():
    found = steps([0.1 * 0.5**k for k in range(200)], [1.0] * 200, np.float32)
    assert np.isfinite(found).all() and found[-1] == found[150]


def test_a_falling_rate_pulls_theta_to_0_in_the_form_of_keras_alone():
    rates = np.linspace(0.5, 1e-3, 200)
    slope = [lambda theta: (theta - 3) / 2] * 200
    assert abs(steps(rates, slope)[-1] - 3) < 0.1
    assert steps(rates, slope, sigma_form="roots")[-1] < 0.1


def test_a_saved_state_goes_on_at_another_rate():
    theta = Tensor(np.zeros(1), requires_grad=True)
    before = optim.Ftrl([theta], lr=1.0, beta=0.0)
    theta.grad = np.array([4.0])
    before.step()
    after = optim.Ftrl([theta], lr=1.0, beta=0.0)
    after.load_state_dict(before.state_dict())
    after.param_groups[0]["lr"], theta.grad = 0.5, np.array([3.0])
    after.step()
    assert theta.data.tolist() == [-1.3] and after.state[theta]["lr_before"] == 0.5
