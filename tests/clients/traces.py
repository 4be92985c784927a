"""OpenTelemetry's exporter for Python sends traces to `/v1/traces`; each is found by its ray and by its trace ID.

For pytest, run by tests/clients/world.mjs.
"""

import json
import os
import secrets
import time
import urllib.error
import urllib.request

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

URL, TOKEN = (os.environ["RAYDEX_" + name] for name in ("URL", "TOKEN"))
CANARY = "canary-5f1c9e7d2b"


def ray_now():
    """A ray of this instant."""
    ticks = int(time.time() * 1000 - 1_350_000_000_000) // 10
    return f"{(ticks << 28) | secrets.randbits(28):016x}"


def found(path):
    """An answer, once there is one: the batch has to be indexed."""
    for _ in range(100):
        try:
            request = urllib.request.Request(URL + path, headers={"authorization": f"Bearer {TOKEN}"})
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)
        except urllib.error.HTTPError:
            time.sleep(0.1)
    raise AssertionError(f"not found: {path}")


class Watched(SpanExporter):
    """An exporter, and what it said of each export."""

    def __init__(self, token, compression):
        headers = {"authorization": f"Bearer {token}"}
        self.inner = OTLPSpanExporter(endpoint=f"{URL}/v1/traces", headers=headers, compression=compression)
        self.results = []

    def export(self, spans):
        self.results.append(self.inner.export(spans))
        return self.results[-1]

    def shutdown(self):
        self.inner.shutdown()


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_trace_is_found_by_its_ray(compression):
    exporter = Watched(TOKEN, compression)
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer, ray = provider.get_tracer("raydex-test", "1.0"), ray_now()
    attributes = {"cloudflare.ray_id": ray, "count": 7, "data": b"\x01\x02", "flags": [True, False]}
    with tracer.start_as_current_span("fetch", kind=trace.SpanKind.SERVER, attributes=attributes) as root:
        root.add_event("cache miss", {"password": CANARY})
        context = root.get_span_context()
        with tracer.start_as_current_span("other", links=[trace.Link(context)]):
            pass
    assert exporter.results == [SpanExportResult.SUCCESS] * 2
    trace_id, span_id = f"{context.trace_id:032x}", f"{context.span_id:016x}"
    # Each span came alone: the first one, without a ray, is found by the trace.
    records = [one["record"] for one in found(f"/v1/rays/{ray}")["records"]]
    assert [(record["SpanName"], record["TraceID"], record["SpanID"]) for record in records] == [("fetch", trace_id, span_id)]
    assert records[0]["SpanAttributes"]["count"] == 7 and records[0]["SpanAttributes"]["flags"] == [True, False]
    assert CANARY not in json.dumps(records)
    for _ in range(100):
        names = sorted(one["record"]["SpanName"] for one in found(f"/v1/rays/{trace_id}")["records"])
        if len(names) == 2:
            break
        time.sleep(0.1)
    assert names == ["fetch", "other"]
    provider.shutdown()


def test_refused_export_is_a_failure():
    exporter = Watched("wrong", Compression.NoCompression)
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    provider.get_tracer("raydex-test").start_span("x").end()
    assert exporter.results == [SpanExportResult.FAILURE]
