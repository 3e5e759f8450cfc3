"""Batches as no Kafka client of good will sends them, though a broker takes them."""

from __future__ import annotations

import gzip
import struct
import time
import zlib
from collections.abc import Sequence
from unittest import mock

from kafka import KafkaProducer
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from kafka.record.util import calc_crc32c, encode_varint

NONE, GZIP, SNAPPY, ZSTD = 0, 1, 2, 4
NOT_UTF8 = ((b"\xff\xfe", b"v"),)


def varint(number: int) -> bytes:
    out = bytearray()
    encode_varint(number, out.append)
    return bytes(out)


def record(
    delta: int, value: bytes, headers: Sequence[tuple[bytes, bytes]] = (), attributes: bytes = b"\0"
) -> bytes:
    body = attributes + varint(0) + varint(delta) + varint(-1)
    body += varint(len(value)) + value + varint(len(headers))
    for name, content in headers:
        body += varint(len(name)) + name + varint(len(content)) + content
    return varint(len(body)) + body


def batch(records: bytes, count: int, codec: int = NONE) -> bytearray:
    """`records`: compressed already, with the codec that is told."""
    header = DefaultRecordBatch.HEADER_STRUCT
    now_ms = round(time.time() * 1000)
    raw = bytearray(header.size) + records
    fields = (0, len(raw) - 12, 0, 2, 0, codec, count - 1, now_ms, now_ms, -1, -1, -1, count)
    header.pack_into(raw, 0, *fields)
    crc = calc_crc32c(memoryview(raw)[DefaultRecordBatch.ATTRIBUTES_OFFSET :])
    struct.pack_into(">I", raw, DefaultRecordBatch.CRC_OFFSET, crc)
    return raw


def zstd(content: bytes) -> bytes:
    """One frame of one block that is stored as it is; up to 255 bytes."""
    block = (len(content) << 3) | 1
    return b"\x28\xb5\x2f\xfd\x20" + bytes([len(content)]) + block.to_bytes(3, "little") + content


def bomb(size: int) -> bytes:
    """One record of so many zeros."""
    head = b"\0" + varint(0) + varint(0) + varint(-1) + varint(size)
    stream = zlib.compressobj(9, wbits=31)
    packed = stream.compress(varint(len(head) + size + 1) + head)
    for _ in range(size >> 20):
        packed += stream.compress(bytes(1 << 20))
    return packed + stream.compress(varint(0)) + stream.flush()


def odd_batches(first: bytes, last: bytes) -> dict[str, bytearray]:
    """By what is odd of each. `first` and `last` are the values of good records around it."""
    two = record(0, first) + record(1, last)

    def three(odd: bytes) -> bytes:
        return record(0, first) + odd + record(2, last)

    nameless = three(record(1, b"odd", NOT_UTF8))
    return {
        "header": batch(nameless, 3),
        "header, gzip": batch(gzip.compress(nameless), 3, GZIP),
        "attributes": batch(three(record(1, b"odd", attributes=b"\xff")), 3),
        "offset": batch(three(record(1_000_000, b"odd")), 3),
        "tail": batch(gzip.compress(two) + b"tail", 2, GZIP),
        "codec": batch(zstd(record(0, b"odd") + record(1, b"odd")), 2, ZSTD),
        "bomb": batch(bomb(64 << 20), 1, GZIP),
    }


def send_raw(broker: str, topic: str, partition: int, raw: bytes) -> int:
    """Returns the offset of its first record."""
    producer = KafkaProducer(bootstrap_servers=broker, enable_idempotence=False, max_request_size=2 << 20)
    try:
        with mock.patch.object(DefaultRecordBatchBuilder, "build", return_value=raw):
            return int(producer.send(topic, b"", partition=partition).get(timeout=20).offset)
    finally:
        producer.close()
