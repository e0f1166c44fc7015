"""whole_number: what counts as one, and what is said of the rest."""

import numpy as np
import pytest

from tinygrad_lr import tensor
from tinygrad_lr.integers import whole_number


@pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3), np.array(3), tensor(3)])
def test_what_can_stand_for_an_index_is_a_whole_number(value):
    found = whole_number("n", value, least=3)
    assert found == 3 and type(found) is int


@pytest.mark.parametrize("value", [True, np.True_, np.array(True), 3.0, np.float64(3), "3", None, [3], np.array([3])])
def test_what_cannot_is_a_type_error(value):
    with pytest.raises(TypeError, match="n must be a whole number of at least 0, got "):
        whole_number("n", value, least=0)
    with pytest.raises(TypeError, match="n must be a whole number, got "):
        whole_number("n", value)


def test_a_limit():
    assert whole_number("n", -(2**70)) == -(2**70)
    with pytest.raises(ValueError, match="n must be a whole number of at least 1, got 0"):
        whole_number("n", 0, least=1)
