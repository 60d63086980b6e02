"""Whatever the OpenAPI description allows or forbids: the server answers as it says there."""

import json

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from n2r_jax.serve.app import make_app
from tests.serve import served

# Left out: that all which fits the schema is taken. A text of blanks alone does, and has no token.
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]
MORE = {}
"""What a row of the described run has besides its text."""
OPERATIONS = [("GET", "/about"), ("POST", "/explain"), ("POST", "/explain/rows")]
quick = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


@schemathesis.serializer("application/x-ndjson")
def rows(_, value):
    """A generated string would hardly ever be a row; as a row's text it is one."""
    return json.dumps({"text": value, **MORE}).encode()


@pytest.fixture(scope="module", params=[served.served_run, served.served_questions])
def description(request):
    MORE.update(choices=["a", "b", "c"] if request.param is served.served_questions else None)
    return schemathesis.openapi.from_asgi("/openapi.json", make_app(request.param()))


def test_the_description_names_every_endpoint(description):
    found = [operation.ok() for operation in description.get_all_operations()]
    assert sorted((o.method.upper(), o.path) for o in found) == OPERATIONS


@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_endpoint_answers_as_described(description, method, path, mode):
    answered = []

    @quick
    @given(description[path][method].as_strategy(generation_mode=mode))
    def check(case):
        answered.append(case.call_and_validate(checks=CHECKS).status_code)

    if (path, mode) == ("/about", GenerationMode.NEGATIVE):
        return  # it takes nothing that could be wrong
    check()
    assert answered
    assert mode is GenerationMode.NEGATIVE or 200 in answered
