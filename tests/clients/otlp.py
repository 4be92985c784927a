"""Traces (`format=otlp`, and both versions of Tempo's API), decoded by OpenTelemetry's own messages.

For pytest, run by tests/clients/world.mjs. RAYDEX_TRACES: how many rays are asked for. What was logged is read here without
any of raydex's code.
"""

import base64
import collections
import gzip
import json
import os
import pathlib
import urllib.request

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

URL, TOKEN, SAMPLE = (os.environ["RAYDEX_" + name] for name in ("URL", "TOKEN", "SAMPLE"))
TRACES = int(os.environ.get("RAYDEX_TRACES", "100"))
IDS = ("traceId", "spanId", "parentSpanId")


def records():
    """The records of requests, by ray; how many Workers served each; and which challenged request each one follows."""
    manifest = json.loads(pathlib.Path(SAMPLE, "manifest.json").read_text())
    requests, workers, challenged = {}, collections.Counter(), {}
    for batch in manifest["batches"]:
        for line in gzip.decompress(pathlib.Path(SAMPLE, batch["key"]).read_bytes()).splitlines():
            record = json.loads(line)
            if batch["dataset"] == "http_requests":
                requests[record["RayID"]] = record
            elif batch["dataset"] == "workers_trace_events":
                workers[record.get("Event", {}).get("RayID")] += 1
            elif record.get("OriginatorRayID", "00") not in ("00", "", record["RayID"]):
                challenged[record["RayID"]] = record["OriginatorRayID"]
    return requests, workers, challenged


REQUESTS, WORKERS, CHALLENGED = records()


def parent_of(ray):
    """The request that sent this one, or the one whose challenge it solved; "00" for neither."""
    sender = REQUESTS.get(ray, {}).get("ParentRayID") or "00"
    return CHALLENGED.get(ray, "00") if sender == "00" else sender


CHILDREN = collections.defaultdict(set)
for one in {*REQUESTS, *CHALLENGED}:
    CHILDREN[parent_of(one)].add(one)


def root(ray):
    """The ray at the top of a tree."""
    return ray if parent_of(ray) == "00" else root(parent_of(ray))


def family(ray):
    """A ray and all that it caused."""
    return {ray}.union(*(family(child) for child in CHILDREN[ray]))


def ask(path, accept):
    """An answer's body, with its media type."""
    headers = {"authorization": f"Bearer {TOKEN}", "accept": accept}
    with urllib.request.urlopen(urllib.request.Request(URL + path, headers=headers)) as answer:
        return answer.read(), answer.headers["content-type"]


def decoded(data, by_name=False):
    """A trace in protobuf as OTLP's JSON: by OpenTelemetry's messages, with IDs in hexadecimal digits; enumerations by their
    names, as Tempo has them."""
    trace = TracesData()
    trace.ParseFromString(data)
    assert trace.SerializeToString(deterministic=True) == data, "the bytes are those of OpenTelemetry's own writer"

    def hexadecimal(value):
        if isinstance(value, list):
            return [hexadecimal(one) for one in value]
        if isinstance(value, dict):
            return {
                name: base64.b64decode(one).hex() if name in IDS else hexadecimal(one) for name, one in value.items()
            }
        return value

    return hexadecimal(MessageToDict(trace, use_integers_for_enums=not by_name)).get("resourceSpans", [])


def unwrapped(data):
    """The trace in a message TraceByIDResponse, and the numbers of its other fields."""
    fields, at = [], 0

    def number():
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key, value = number(), number()
        if key & 7 == 2:
            fields.append((key >> 3, data[at : at + value]))
            at += value
        else:
            fields.append((key >> 3, value))
    (trace,) = [value for field, value in fields if field == 1]
    return trace, {field: value for field, value in fields if field != 1}


def test_traces_are_equal_in_every_form():
    step = -(-len(REQUESTS) // TRACES)
    spans_seen = traces = families = 0
    for ray in list(REQUESTS)[::step]:
        written, media = ask(f"/v1/rays/{ray}?format=otlp", "application/json")
        assert media == "application/json"
        resources = json.loads(written)["resourceSpans"]
        protobuf, media = ask(f"/v1/rays/{ray}?format=otlp", "application/x-protobuf")
        assert media == "application/x-protobuf" and decoded(protobuf) == resources
        identifier = ray.rjust(32, "0")
        first, media = ask(f"/tempo/api/traces/{identifier}", "application/protobuf")
        assert media == "application/protobuf" and first == protobuf
        second, media = ask(f"/tempo/api/v2/traces/{identifier}", "application/protobuf")
        assert media == "application/protobuf"
        trace, others = unwrapped(second)
        assert trace == protobuf
        named = decoded(protobuf, by_name=True)
        assert json.loads(ask(f"/tempo/api/traces/{ray}", "application/json")[0])["batches"] == named
        whole = json.loads(ask(f"/tempo/api/v2/traces/{ray}", "application/json")[0])
        assert whole["trace"]["resourceSpans"] == named
        assert (whole["status"] == "PARTIAL") == (others.get(3) == 1)
        assert others.get(4, b"").decode() == whole.get("message", "")
        spans = [span for resource in resources for scope in resource["scopeSpans"] for span in scope["spans"]]
        expected = family(root(ray))
        assert {span["traceId"] for span in spans} == {root(ray).rjust(32, "0")}
        identifiers = [span["spanId"] for span in spans]
        assert len(set(identifiers)) == len(identifiers) and expected <= set(identifiers)
        for span in spans:
            logged = REQUESTS.get(span["spanId"])
            if logged:
                attributes = {one["key"]: list(one["value"].values())[0] for one in span["attributes"]}
                assert attributes["http.request.method"] == logged["ClientRequestMethod"]
                assert attributes["http.response.status_code"] == str(logged["EdgeResponseStatus"])
                assert span.get("parentSpanId", "00") == parent_of(span["spanId"])
        workers = [span for span in spans if span["name"].startswith("worker ")]
        assert len(workers) == sum(WORKERS[one] for one in expected)
        spans_seen, traces, families = spans_seen + len(spans), traces + 1, families + (len(expected) > 1)
    assert traces >= min(TRACES, len(REQUESTS)) / 2 and families > traces / 20
    print(f"{traces} traces, {families} of several requests, {spans_seen} spans")
