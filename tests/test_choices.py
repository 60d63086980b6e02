"""Settings outside their choices."""

import pytest

from n2r_jax.choices import at_least_0, one_of
from n2r_jax.errors import UserError


def test_a_choice_is_accepted_and_anything_else_named_with_the_choices():
    one_of("colour", "red", ("red", "blue"))
    with pytest.raises(UserError, match=r"^colour is 'green'; it must be one of red, blue$"):
        one_of("colour", "green", ("red", "blue"))


def test_a_margin_is_a_finite_number_of_at_least_0():
    at_least_0("margin", 0.0)
    for value in (-0.1, float("nan"), float("inf")):
        with pytest.raises(UserError, match=r"^margin is .*at least 0$"):
            at_least_0("margin", value)
