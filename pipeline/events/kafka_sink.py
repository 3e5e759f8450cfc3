"""The Kafka sink: idempotent producer, acks=all, one clear sentence for whatever goes wrong."""

from __future__ import annotations

import contextlib
import logging
import ssl
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cloudevents.core.exceptions import CloudEventValidationError
from kafka import KafkaAdminClient, KafkaProducer
from kafka import errors as kafka_errors
from kafka.admin import ConfigResource, ConfigResourceType

from pipeline.config import KafkaSettings
from pipeline.events.errors import SinkError, TopicError
from pipeline.events.event import Event, EventType, rfc3339, to_kafka
from pipeline.events.sink import Delivery

# kafka-python tells each failed attempt several times, and at DEBUG its whole configuration, password
# included: none of it goes to the program's log. Why a connection failed is told in its log alone, by
# kafka.net, and is taken from there (see _Reasons).
logging.getLogger("kafka").propagate = False
logging.getLogger("kafka").addHandler(logging.NullHandler())
_connection_log = logging.getLogger("kafka.net")
_connection_log.setLevel(logging.WARNING)

NEVER_TAKEN = (
    kafka_errors.MessageSizeTooLargeError,
    kafka_errors.RecordListTooLargeError,
    kafka_errors.InvalidRecordError,
)
"""Errors that are the record's own: sending it again cannot help."""


class KafkaSink:
    """Sends each type to its topic, as CloudEvents in binary mode, keyed by camera."""

    def __init__(
        self, settings: KafkaSettings, *, open_timeout_s: float = 5.0, delivery_timeout_s: float = 30.0
    ) -> None:
        """Nothing is connected yet."""
        self.name = f"Kafka at {', '.join(settings.brokers)}"
        self._settings = settings
        self._topics = topics(settings)
        self._open_timeout_s = open_timeout_s
        self._delivery_timeout_s = delivery_timeout_s
        self._producer: Any = None
        self._spoilt = False

    def open(self) -> None:
        """Connect, log in, and create the topics that are missing."""
        producer = _producer(self._settings, self._open_timeout_s, self._delivery_timeout_s)
        try:
            with _admin(self._settings, self._open_timeout_s) as admin:
                wanted = {topic: cleanup_policy(kind) for kind, topic in self._topics.items()}
                _create_topics(admin, self._settings, wanted)
        except BaseException:
            producer.close(timeout=1)
            raise
        self._producer = producer
        self._spoilt = False

    def deliver(self, events: Sequence[Event]) -> Delivery:
        """Send all, then wait for every answer; a suspect among many is tried again alone."""
        delivery = self._send(events)
        if len(events) == 1 or not delivery.refused:
            return delivery
        acknowledged, trouble = list(delivery.acknowledged), delivery.trouble
        refused: dict[str, str] = {}
        for event in events:
            # The broker refuses a batch for one bad record: only what fails alone is at fault itself.
            if event.id in delivery.refused and not trouble:
                alone = self._send([event])
                acknowledged += alone.acknowledged
                refused |= alone.refused
                trouble = alone.trouble
        return Delivery(tuple(acknowledged), refused, trouble)

    def together(self, event_type: EventType) -> Collection[EventType]:
        """The types of its topic."""
        return [kind for kind, topic in self._topics.items() if topic == self._topics[event_type]]

    def close(self, timeout_s: float) -> None:
        """Close the producer; what it still holds is in the outbox as well."""
        producer, self._producer = self._producer, None
        if producer is not None:
            # It raises when records are left over; they are sent again from the outbox.
            with contextlib.suppress(kafka_errors.KafkaError):
                producer.close(timeout=timeout_s)

    def _send(self, events: Sequence[Event]) -> Delivery:
        if self._spoilt:
            self.close(1.0)
            try:
                self.open()
            except SinkError as error:
                return Delivery((), trouble=str(error))
        waiting = []
        acknowledged: list[Event] = []
        refused: dict[str, str] = {}
        trouble = ""
        closed: set[str] = set()
        for event in events:
            topic = self._topics[event.type]
            if topic in closed:
                continue
            try:
                message = to_kafka(event)
                future = self._producer.send(
                    topic,
                    key=event.key.encode(),
                    value=message.value,
                    headers=list(message.headers.items()),
                )
            except NEVER_TAKEN as error:
                refused[event.id] = _refusal(topic, event, error)
            except (CloudEventValidationError, AttributeError, KeyError, TypeError, ValueError) as error:
                refused[event.id] = f"cannot be written as a CloudEvent: {_short(error)}"
            except kafka_errors.KafkaError as error:
                # Of this topic nothing more goes, for the sake of the order; the others are not at fault.
                trouble = trouble or self._sentence(topic, error)
                closed.add(topic)
            else:
                waiting.append((event, topic, future))
        deadline_s = time.monotonic() + self._delivery_timeout_s + 5.0
        for event, topic, future in waiting:
            try:
                future.get(timeout=max(0.0, deadline_s - time.monotonic()))
            except NEVER_TAKEN as error:
                refused[event.id] = _refusal(topic, event, error)
                # One refused batch leaves an idempotent producer of kafka-python unusable: all that it is
                # given afterwards fails with the same error. A new one is needed.
                self._spoilt = True
            except kafka_errors.KafkaError as error:
                trouble = trouble or self._sentence(topic, error)
            else:
                acknowledged.append(event)
        return Delivery(tuple(acknowledged), refused, trouble)

    def _sentence(self, topic: str, error: BaseException) -> str:
        if isinstance(error, kafka_errors.KafkaTimeoutError):
            return f"{self.name} did not acknowledge within {self._delivery_timeout_s:.0f} s"
        if isinstance(error, kafka_errors.InvalidTimestampError):
            # The time of sending, given anew by the next producer: not the event's.
            return f"{self.name} refuses our time, {rfc3339(datetime.now(UTC))}: check this box's clock"
        if isinstance(error, kafka_errors.AuthorizationError):
            return f"{self.name} does not let user {self._settings.username!r} write to topic {topic}"
        return f"{self.name} did not take an event for topic {topic}: {_short(error)}"


@dataclass(frozen=True, slots=True)
class BrokerReport:
    """What `check` found."""

    nodes: tuple[str, ...]
    """host:port of the cluster's brokers."""
    protocol: str
    """Newest Kafka release whose protocol both sides speak, such as "4.3"."""
    missing_topics: tuple[str, ...]
    """Of ours; they are created when the worker starts, if the user may."""


def check(settings: KafkaSettings, timeout_s: float = 5.0) -> BrokerReport:
    """Connect, log in and look, changing nothing. Raises SinkError with one clear sentence."""
    producer = _producer(settings, timeout_s, timeout_s)
    try:
        with _admin(settings, timeout_s) as admin:
            nodes = tuple(f"{node['host']}:{node['port']}" for node in admin.describe_cluster()["brokers"])
            existing = set(admin.list_topics())
    except kafka_errors.KafkaError as error:
        raise SinkError(f"{_name(settings)} cannot be examined: {_short(error)}") from error
    finally:
        producer.close(timeout=1)
    missing = tuple(topic for topic in dict.fromkeys(topics(settings).values()) if topic not in existing)
    return BrokerReport(nodes, ".".join(map(str, producer.config["api_version"])), missing)


def topics(settings: KafkaSettings) -> dict[EventType, str]:
    """Where each type goes."""
    return {
        EventType.VIOLATION: settings.violations_topic,
        # One queue for whoever reviews: the type tells them apart, and a camera's acts keep their order.
        EventType.INCOMPLETE: settings.violations_topic,
        EventType.SECURITY: settings.security_topic,
        EventType.HEALTH: settings.cameras_topic,
        EventType.FLOW: settings.flow_topic,
    }


def _producer(settings: KafkaSettings, open_timeout_s: float, delivery_timeout_s: float) -> Any:
    connection = connection_settings(settings)
    reasons = _Reasons()
    _connection_log.addHandler(reasons)
    try:
        return KafkaProducer(
            **connection,
            bootstrap_timeout_ms=round(open_timeout_s * 1000),
            acks="all",
            enable_idempotence=True,
            compression_type="gzip",
            linger_ms=5,
            allow_auto_create_topics=False,
            max_block_ms=round(open_timeout_s * 1000),
            request_timeout_ms=round(min(10.0, delivery_timeout_s / 2) * 1000),
            delivery_timeout_ms=round(delivery_timeout_s * 1000),
            reconnect_backoff_max_ms=2000,
            metrics_enabled=False,
        )
    except (kafka_errors.KafkaError, ValueError, OSError) as error:
        raise SinkError(reasons.sentence(settings, error)) from None
    finally:
        _connection_log.removeHandler(reasons)


@contextlib.contextmanager
def _admin(settings: KafkaSettings, timeout_s: float) -> Iterator[Any]:
    timeout_ms = round(timeout_s * 1000)
    try:
        admin = KafkaAdminClient(
            **connection_settings(settings), bootstrap_timeout_ms=timeout_ms, request_timeout_ms=timeout_ms
        )
    except (kafka_errors.KafkaError, ValueError, OSError) as error:
        raise SinkError(f"{_name(settings)} went away while connecting: {_short(error)}") from None
    try:
        yield admin
    finally:
        admin.close()


def connection_settings(settings: KafkaSettings) -> dict[str, Any]:
    """How clients of kafka-python reach the brokers, secrets included."""
    connection: dict[str, Any] = {
        "bootstrap_servers": list(settings.brokers),
        "client_id": "ngatu",
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol in ("SSL", "SASL_SSL"):
        try:
            connection["ssl_context"] = ssl.create_default_context(cafile=settings.ca_file)
        except OSError as error:
            problem = error.strerror or error
            raise SinkError(f"kafka.ca_file {settings.ca_file} cannot be used: {problem}") from None
    if settings.security_protocol.startswith("SASL"):
        try:
            password = settings.password()
        except ValueError as error:
            raise SinkError(f"kafka: {error}") from None
        connection |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.username,
            "sasl_plain_password": password,
        }
    return connection


def create_topics(settings: KafkaSettings, wanted: Mapping[str, str], timeout_s: float = 5.0) -> None:
    """Create those of `wanted` (topic to cleanup.policy) that are missing. Raises SinkError, and TopicError
    where the user may not."""
    with _admin(settings, timeout_s) as admin:
        _create_topics(admin, settings, wanted)


def cleanup_policy(event_type: EventType) -> str:
    """Of the type's topic: of a camera's health, the newest is enough."""
    return "compact" if event_type is EventType.HEALTH else "delete"


def compression(settings: KafkaSettings, topic: str) -> str:
    """The topic's compression.type, such as "producer" or "zstd"; "" where the user may not see it.

    Raises SinkError.
    """
    try:
        with _admin(settings, 5.0) as admin:
            resource = ConfigResource(ConfigResourceType.TOPIC, topic)
            found = admin.describe_configs([resource], config_filter="all")
    except kafka_errors.KafkaError as error:
        raise SinkError(f"{_name(settings)} cannot be examined: {_short(error)}") from error
    return str(found.get("topic", {}).get(topic, {}).get("compression.type", {}).get("value", ""))


def _create_topics(admin: Any, settings: KafkaSettings, wanted: Mapping[str, str]) -> None:
    refused = []
    try:
        existing = set(admin.list_topics())
        for topic, policy in wanted.items():
            if topic in existing:
                continue
            try:
                with contextlib.suppress(kafka_errors.TopicAlreadyExistsError):
                    admin.create_topics(
                        {topic: {"configs": {"cleanup.policy": policy}}}, wait_for_metadata=True
                    )
            except (kafka_errors.AuthorizationError, kafka_errors.PolicyViolationError):
                refused.append(f"{topic} (cleanup.policy={policy})")
    except kafka_errors.KafkaError as error:
        raise SinkError(f"{_name(settings)} did not create its topics: {_short(error)}") from None
    if refused:
        raise TopicError(
            f"{_name(settings)} has no topic that user {settings.username!r} may see or create: "
            f"create {', '.join(refused)}"
        )


class _Reasons(logging.Handler):
    """Why a connection failed: kafka-python says it in its log only, its exception being a timeout."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self._messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self._messages.append(record.getMessage())

    def sentence(self, settings: KafkaSettings, error: BaseException) -> str:
        name = _name(settings)
        text = "\n".join(self._messages)
        if "SaslAuthenticationFailed" in text:
            return f"{name} refuses the login of user {settings.username!r}: check username and password"
        if "UnsupportedSaslMechanism" in text:
            return f"{name} does not offer sasl_mechanism {settings.sasl_mechanism}"
        for message in self._messages:
            _, found, problem = message.partition("Handshake failed: ")
            if found:
                return f"{name}: TLS fails ({problem}): check ca_file and security_protocol"
        for message in self._messages:
            _, found, problem = message.partition("Connection failed: ")
            if found:
                return f"{name} cannot be reached: {problem.removeprefix('KafkaConnectionError: ')}"
        if "socket disconnected" in text:
            # kafka-python often drops a refusal that comes in one packet with the end of the connection.
            if settings.sasl_mechanism:
                return (
                    f"{name} ends the login of user {settings.username!r}: check username, password, "
                    f"sasl_mechanism ({settings.sasl_mechanism}) and security_protocol "
                    f"({settings.security_protocol})"
                )
            return (
                f"{name} closes the connection at once: check security_protocol "
                f"(it is {settings.security_protocol})"
            )
        return f"{name} cannot be reached: {_short(error)}"


def _name(settings: KafkaSettings) -> str:
    return f"Kafka at {', '.join(settings.brokers)}"


def _refusal(topic: str, event: Event, error: BaseException) -> str:
    size = len(to_kafka(event).value)
    return f"topic {topic} does not take this event of {size} bytes: {type(error).__name__}"


def _short(error: BaseException) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
