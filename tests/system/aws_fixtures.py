"""Fixtures for tests of the double of AWS. A test file imports those that it wants."""

import pytest

from support.aws.calls import register_ca
from support.aws.certificates import TestCa
from support.aws.running import RunningDouble


@pytest.fixture(scope="module")
def aws(request, tmp_path_factory):
    """One double for all tests of a file; its PINS, if it has some, are the double's."""
    pins = getattr(request.module, "PINS", ())
    with RunningDouble(tmp_path_factory.mktemp("aws"), pins=pins) as running:
        yield running


@pytest.fixture
def client(aws):
    """Speaks to the double, which forgets everything after the test."""
    made = aws.client()
    yield made
    made.close()
    aws.reset()


@pytest.fixture(scope="module")
def unknown_ca():
    """A CA that AWS has not heard of."""
    return TestCa("Device CA")


@pytest.fixture
def registered_ca(client):
    """A CA that is registered and ACTIVE."""
    made = TestCa()
    assert register_ca(client, made).status == 200
    return made
