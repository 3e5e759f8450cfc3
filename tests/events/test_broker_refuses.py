"""What goes wrong between us and a real broker is one clear sentence, without a secret in it."""

from __future__ import annotations

import datetime
import ipaddress
import logging
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pipeline.events.errors import SinkError
from pipeline.events.kafka_sink import KafkaSink, check
from pipeline.events.outbox import Outbox
from pipeline.events.publisher import Publisher
from tests.events.examples import candidate, kafka_settings, read_topic
from tests.kafka_fixture import Broker, require_kafka
from tests.waiting import wait_for

RIGHT, WRONG = "r1ght-s3cret", "wr0ng-s3cret"

PROPERTIES = """
listeners=PLAINTEXT://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{{controller_port}},\
LOGIN://127.0.0.1:{login},TLS://127.0.0.1:{tls}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_PLAINTEXT,TLS:SASL_SSL
sasl.enabled.mechanisms=PLAIN
listener.name.login.plain.sasl.jaas.config={jaas}
listener.name.tls.plain.sasl.jaas.config={jaas}
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:worker
"""
JAAS = (
    "org.apache.kafka.common.security.plain.PlainLoginModule required "
    f'user_worker="{RIGHT}" user_stranger="{RIGHT}";'
)


@dataclass
class SecureBroker:
    plain: str
    login: str
    tls: str
    ca_file: Path


@pytest.fixture(scope="module")
def secure_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    require_kafka()
    directory = tmp_path_factory.mktemp("secure")
    ca_file = directory / "ca.pem"
    keystore = directory / "keystore.pem"
    key, certificate = self_signed()
    ca_file.write_bytes(certificate)
    keystore.write_bytes(key + certificate)
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        login, tls = first.getsockname()[1], second.getsockname()[1]
    broker = Broker(directory / "kafka")
    plain = broker.start(properties=PROPERTIES.format(login=login, tls=tls, jaas=JAAS, keystore=keystore))
    yield SecureBroker(plain, f"127.0.0.1:{login}", f"127.0.0.1:{tls}", ca_file)
    broker.stop()


def self_signed() -> tuple[bytes, bytes]:
    """Key and certificate for 127.0.0.1, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test broker")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem, certificate.public_bytes(serialization.Encoding.PEM)


def login(protocol: str = "SASL_PLAINTEXT", **fields: Any) -> dict[str, Any]:
    values = {"sasl_mechanism": "PLAIN", "username": "worker", "password_env": "KAFKA_PASSWORD"}
    return {"security_protocol": protocol} | values | fields


def test_login_over_tls_delivers(
    secure_broker: SecureBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", RIGHT)
    settings = kafka_settings(secure_broker.tls, **login("SASL_SSL", ca_file=secure_broker.ca_file))
    box = Outbox(tmp_path / "outbox.sqlite")
    box.put(candidate())
    publisher = Publisher(box, KafkaSink(settings))
    publisher.start()
    assert wait_for(lambda: box.count() == 0), publisher.state()
    publisher.close(5.0)
    assert len(read_topic(secure_broker.plain, settings.violations_topic)) == 1


@pytest.mark.parametrize(
    ("where", "fields", "password", "expected"),
    [
        ("login", login(), WRONG, "(refuses|ends) the login of user 'worker': check .*password"),
        (
            "login",
            login(sasl_mechanism="SCRAM-SHA-256"),
            RIGHT,
            "check .*sasl_mechanism|not offer sasl_mechanism",
        ),
        ("login", {}, RIGHT, "closes the connection at once: check security_protocol"),
        ("plain", {"security_protocol": "SSL"}, RIGHT, "TLS fails.*check ca_file and security_protocol"),
        ("tls", login("SASL_SSL"), RIGHT, "TLS fails.*certificate verify failed"),
        ("tls", login("SASL_SSL", ca_file=Path("none.pem")), RIGHT, "kafka.ca_file none.pem cannot be used"),
        ("login", login(password_env="UNSET_NAME"), RIGHT, "UNSET_NAME .* is not set"),
        (
            "login",
            login(username="stranger"),
            RIGHT,
            "has no topic .* user 'stranger' may see or create",
        ),
        ("nobody", {}, RIGHT, "cannot be reached: .*ECONNREFUSED"),
        ("no host", {}, RIGHT, "cannot be reached"),
    ],
)
def test_each_refusal_is_one_clear_sentence(
    secure_broker: SecureBroker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    where: str,
    fields: dict[str, Any],
    password: str,
    expected: str,
) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", password)
    # However loud the program's log is set.
    logging.getLogger("kafka").setLevel(logging.DEBUG)
    caplog.set_level(logging.DEBUG)
    addresses = {"nobody": "127.0.0.1:1", "no host": "no-such-host.invalid:9092"}
    address = addresses.get(where) or getattr(secure_broker, where)
    sink = KafkaSink(kafka_settings(address, **fields), open_timeout_s=1.5)
    with pytest.raises(SinkError, match=expected) as caught:
        sink.open()
    print(caught.value)
    assert "\n" not in str(caught.value)
    told = str(caught.value) + "".join(
        record.getMessage() for record in caplog.records if not record.name.startswith("kafka")
    )
    assert password not in told


def test_password_reaches_no_log_of_ours(
    secure_broker: SecureBroker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", RIGHT)
    path = tmp_path / "log"
    handler = logging.FileHandler(path)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    logging.getLogger("kafka").setLevel(logging.DEBUG)
    try:
        assert check(kafka_settings(secure_broker.login, **login())).nodes
        logging.getLogger("test").debug("the log is on")
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert "the log is on" in path.read_text()
    assert RIGHT not in path.read_text()


def test_check_says_what_is_wrong(secure_broker: SecureBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", WRONG)
    with pytest.raises(SinkError, match="password"):
        check(kafka_settings(secure_broker.login, **login()), timeout_s=1.5)
    report = check(kafka_settings(secure_broker.plain))
    assert len(report.missing_topics) == 4
    assert report.protocol >= "4"
