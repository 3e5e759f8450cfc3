"""What the broker took and kafka-python cannot read comes as a record that says so.

By itself it raises, at the same offset for ever: one record whose header has a name that is no UTF-8 would
hold up all others. Here the batch at fault is taken apart record by record, by its format (version 2, which
brokers from 3.0 on keep everything in).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import structlog
from kafka.record.default_records import DefaultRecord, DefaultRecordBatch
from kafka.record.util import decode_varint

from pipeline.ioc.ingest.parse import MAX_BYTES

log = structlog.get_logger(__name__)

MAX_BATCH_BYTES = 32 << 20
"""A batch that is larger when decompressed is not read; workers' have 16 KiB, or one event."""
GZIP_RATIO = 1032
"""Deflate makes nothing larger than this many times its size."""
MAX_VALUE_BYTES = 4 * MAX_BYTES
"""More are more characters than an event may have, in whatever script."""
KEPT_BYTES, KEPT_BATCH_BYTES = 1 << 18, 1024
CODECS = {2: "snappy", 3: "lz4", 4: "zstd"}

_HEADER = DefaultRecordBatch.HEADER_STRUCT
_ATTRIBUTES, _COUNT = 5, 12


class Unread(bytes):
    """Stands as the value of a record that could not be read: what there is of it, cut."""

    reason = ""
    """Why, in one line."""
    codec = ""
    """The compression that its batch has and that cannot be read here; else ""."""


class OddError(Exception):
    """Something that no record or batch should have; the message says what."""


def guard(consumer: Any) -> None:
    """From now on `consumer`, a KafkaConsumer, gives records with an `Unread` value where it would raise.

    It reaches into the library. Where a later one has no such place, all is as it was without this.
    """
    fetcher = getattr(consumer, "_fetcher", None)
    plain = getattr(fetcher, "PartitionRecords", None)
    if fetcher is None or plain is None:
        log.warning("records_not_guarded", reason="this kafka-python is made differently")
        return

    def guarded(fetch_offset: int, partition: Any, records: Any, *rest: Any, **more: Any) -> Any:
        return plain(fetch_offset, partition, _Batches(records), *rest, **more)

    fetcher.PartitionRecords = guarded


class _Batches:
    """kafka-python's iterator over the batches of a partition."""

    def __init__(self, records: Any) -> None:
        self._records = records

    def next_batch(self) -> Any:
        batch = self._records.next_batch()
        plain = batch is None or batch.magic != 2 or batch.is_control_batch
        return batch if plain or not hasattr(batch, "_buffer") else _Batch(batch)


class _Batch:
    """A batch whose iteration does not fail for what its sender put in."""

    def __init__(self, batch: Any) -> None:
        self._batch = batch
        self._raw = batch._buffer  # as it came: decompressing puts another in its place

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        read, last = 0, self._batch.base_offset - 1
        try:
            self._check_size()
            for record in self._batch:
                self._check(record, last)
                yield record
                read, last = read + 1, record.offset
        except MemoryError:
            raise
        except Exception:
            if not DefaultRecordBatch(self._raw).validate_crc():
                raise  # damaged on its way here: to be fetched again
            yield from self._one_by_one(read, last)

    def _check_size(self) -> None:
        if self._batch.compression_type == DefaultRecordBatch.CODEC_GZIP:
            packed = self._raw[_HEADER.size :]
            if len(packed) > MAX_BATCH_BYTES // GZIP_RATIO and _gunzip(packed)[1]:
                raise OddError("something follows its gzip stream")

    def _check(self, record: Any, last: int) -> None:
        if not last < record.offset <= self._batch.last_offset:
            raise OddError(f"it says that it is at offset {record.offset}, which is none of its batch")
        if record.value is not None and len(record.value) > MAX_VALUE_BYTES:
            raise OddError(f"it has {len(record.value)} bytes")

    def _one_by_one(self, skip: int, last: int) -> Iterator[Any]:
        """The records after the first `skip`, of which the last had the offset `last`."""
        end_offset = self._batch.last_offset
        codec = self._batch.compression_type
        try:
            if codec in CODECS:
                raise OddError(f"compressed with {CODECS[codec]}, which is not read here")
            packed = self._raw[_HEADER.size :]
            content = _gunzip(packed)[0] if codec == DefaultRecordBatch.CODEC_GZIP else bytes(packed)
            end = 0
            for index in range(self._batch.records_count):
                begin = end
                length, start = decode_varint(content, begin)
                end = start + length
                if length < 0 or end > len(content):
                    raise OddError("a record has no end")
                if index < skip:
                    continue
                record = self._single(content[begin:end], content[start:end], last)
                yield record
                last = record.offset
        except MemoryError:
            raise
        except Exception as error:
            # At the last offset: reading may begin anywhere in the batch, and what is before is left out.
            reason = f"offsets {last + 1} to {end_offset} cannot be read: {_words(error)}"
            unread = _unread(bytes(self._raw[:KEPT_BATCH_BYTES]), reason, CODECS.get(codec, ""))
            yield self._stand_in(end_offset, unread)

    def _single(self, framed: bytes, body: bytes, last: int) -> Any:
        """The record, or what stands for it; `framed`: its body with the length before it."""
        fields = list(_HEADER.unpack_from(self._raw))
        fields[_ATTRIBUTES] &= ~DefaultRecordBatch.CODEC_MASK
        fields[_COUNT] = 1
        try:
            (record,) = DefaultRecordBatch(_HEADER.pack(*fields) + framed)
            self._check(record, last)
        except MemoryError:
            raise
        except Exception as error:
            offset, value = self._glimpse(body)
            if not last < offset <= self._batch.last_offset:
                offset = min(last + 1, self._batch.last_offset)
            return self._stand_in(offset, _unread(value[:KEPT_BYTES], f"it cannot be read: {_words(error)}"))
        return record

    def _glimpse(self, body: bytes) -> tuple[int, bytes]:
        """Offset and value, which stand before the headers."""
        _, position = decode_varint(body, 1)  # after the attributes: the time
        delta, position = decode_varint(body, position)
        key, position = decode_varint(body, position)
        size, position = decode_varint(body, position + max(key, 0))
        return self._batch.base_offset + delta, body[position : position + max(size, 0)]

    def _stand_in(self, offset: int, unread: Unread) -> Any:
        batch = self._batch
        return DefaultRecord(len(unread), offset, batch.max_timestamp, batch.timestamp_type, None, unread, [])


def _unread(content: bytes, reason: str, codec: str = "") -> Unread:
    unread = Unread(content)
    unread.reason, unread.codec = reason, codec
    return unread


def _gunzip(packed: Any) -> tuple[bytes, bytes]:
    """What the first gzip stream holds, and what follows it."""
    stream = zlib.decompressobj(wbits=31)
    content = stream.decompress(packed, MAX_BATCH_BYTES + 1)
    if len(content) > MAX_BATCH_BYTES:
        raise OddError(f"decompressed, it has more than {MAX_BATCH_BYTES >> 20} MiB")
    if not stream.eof:
        raise OddError("its gzip stream has no end")
    return content, stream.unused_data


def _words(error: Exception) -> str:
    if isinstance(error.__context__, UnicodeDecodeError):
        return "the name of a header is not UTF-8"
    return str(error)[:200]
