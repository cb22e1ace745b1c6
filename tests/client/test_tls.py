"""The client over https, against a server whose certificate is of an authority of its own."""

import ssl
from pathlib import Path

import pytest

from mmkeras.client import Client, ServerError
from tests.client.test_client import HALF, _serving

PEM = Path(__file__).with_name("localhost.pem")


@pytest.fixture(scope="module")
def served():
    """(URL, requests, connections) of a server."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(PEM)
    with _serving(HALF, [(200, {}, '{"predictions": [0.5]}')], context) as found:
        yield found


def test_the_authority_of_a_certificate_may_be_given(served):
    url, requests, connections = served
    with Client(url, "m", ca_file=PEM) as client:
        assert [client.predict({"x": 1}), client.predict({"x": 2})] == [[{"y": 0.5}]] * 2
    assert len(requests) == 2 and len(connections) == 1
    assert Client(url.replace("127.0.0.1", "localhost"), "m", ca_file=str(PEM)).status() == {123: "AVAILABLE"}


def test_other_certificates_are_not_trusted(served, monkeypatch):
    monkeypatch.setattr("mmkeras.client.connection.time.sleep", lambda seconds: pytest.fail("asked again"))
    rule = r"https://.* has a certificate that is not trusted\. Received: .*Give the certificate of its authority as"
    with pytest.raises(ServerError, match=rule):
        Client(served[0], "m").predict({"x": 1})


def test_what_is_no_file_of_certificates(tmp_path):
    for path, cause in {tmp_path / "none.pem": "No such file", Path(__file__): "no certificate"}.items():
        rule = f"ca_file must be a PEM file of certificates. Received: '{path}', .*{cause}.*Give the path of"
        with pytest.raises(ValueError, match=rule):
            Client("https://localhost", "m", ca_file=path)
    with pytest.raises(ValueError, match="ca_file is for https and grpcs. Received: url='http://localhost'"):
        Client("http://localhost", "m", ca_file=PEM)
