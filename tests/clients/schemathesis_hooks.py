"""What schemathesis is told beside the document: how to send bodies that are no JSON, and what there is to be found.

Of the arguments and filters that it makes up, every second one is replaced by one that names something, so that answers
of 200 are seen as often as refusals. Which ones depends on their text alone: the same seed asks the same questions.
"""

import gzip
import json
import os
import pathlib
import urllib.request
import zlib

import schemathesis

SAMPLE = pathlib.Path(os.environ["RAYDEX_SAMPLE"])
MANIFEST = json.loads((SAMPLE / "manifest.json").read_text())
RAYS = [example["ray"] for example in MANIFEST["examples"].values() if example]
FILTERS = [
    '{"where":{"key":"EdgeResponseStatus","operator":"geq","value":500}}',
    '{"where":{"or":[{"key":"ClientRequestMethod","operator":"in","value":["GET","POST"]},'
    '{"key":"ClientRequestURI","operator":"startsWith","value":"/a"}]}}',
]


def ask(path):
    """What the Worker answers to GET."""
    request = urllib.request.Request(os.environ["RAYDEX_URL"] + path)
    request.add_header("authorization", "Bearer " + os.environ["RAYDEX_TOKEN"])
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


BATCHES = sorted(batch["id"] for batch in ask("/v1/batches")["batches"])
PAYLOADS = sorted(payload["id"] for batch in BATCHES for payload in ask(f"/v1/batches/{batch}")["payloads"])
KNOWN = {
    "ray": RAYS,
    "batch": BATCHES,
    "payload": PAYLOADS,
    "id": ["1"],
    "bucket": ["cdn-logs-raw"],
    "prefix": ["logs/", "logs/http_requests/{DATE}"],
    "filter": FILTERS,
    "start": [MANIFEST["start"]],
    "end": [MANIFEST["end"]],
}


def named(values):
    """The values, some of them replaced."""
    for name in KNOWN.keys() & (values or {}).keys():
        number = zlib.crc32(repr(values[name]).encode())
        if number % 2:
            values[name] = KNOWN[name][number // 2 % len(KNOWN[name])]
    return values


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    return named(path_parameters)


@schemathesis.hook
def map_query(context, query):
    return named(query)


def text(value):
    """A body that is no JSON: itself, or whatever stands in its place."""
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    return text(value)


@schemathesis.serializer("application/gzip")
def packed(context, value):
    return gzip.compress(text(value))


@schemathesis.deserializer("application/x-ndjson", "text/csv")
def words(context, response):
    return response.content.decode(errors="replace")
