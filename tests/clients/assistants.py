"""The official SDK of the Model Context Protocol for Python against `/mcp`, by both of the revisions that it speaks.

For pytest, run by tests/clients/world.mjs. What tools answer is held against their schemas by jsonschema.
"""

import asyncio
import gzip
import json
import os
import pathlib

import httpx2
import jsonschema
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

URL, TOKEN, SAMPLE = (os.environ["RAYDEX_" + name] for name in ("URL", "TOKEN", "SAMPLE"))
RANGE = {"start": "2026-03-28T08:00:00Z", "end": "2026-03-28T08:10:00Z"}
FAILED = {"where": {"key": "EdgeResponseStatus", "operator": "geq", "value": 400}}


def record():
    """A record of the sample."""
    manifest = json.loads(pathlib.Path(SAMPLE, "manifest.json").read_text())
    batch = next(batch for batch in manifest["batches"] if batch["dataset"] == "http_requests")
    return json.loads(gzip.decompress(pathlib.Path(SAMPLE, batch["key"]).read_bytes()).splitlines()[0])


RECORD = record()
CALLS = [
    ("ray", {"ray": RECORD["RayID"]}),
    ("ray", {"ray": RECORD["RayID"], "fields": ["ClientIP"], "subrequests": "list", "limit": 10}),
    ("why_not_found", {"ray": "9e3556d8c2ab1c05"}),
    ("deliveries", {"ray": RECORD["RayID"]}),
    ("search", {**RANGE, "filter": FAILED, "limit": 20}),
    ("counts", {**RANGE, "by": ["EdgeResponseStatus"], "step": "60s"}),
]


async def used(mode, use):
    """Uses a client of this mode: `auto` finds the stateless revision, `legacy` begins with a handshake."""
    http = httpx2.AsyncClient(headers={"authorization": f"Bearer {TOKEN}"})
    transport = streamable_http_client(f"{URL}/mcp", http_client=http)
    async with http, Client(transport, mode=mode) as client:
        return await use(client)


@pytest.mark.parametrize(("mode", "version"), [("auto", "2026-07-28"), ("legacy", "2025-11-25")])
def test_every_tool_answers_as_its_schema_says(mode, version):
    async def use(client):
        assert client.protocol_version == version
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {name for name, _ in CALLS}
        for name, given in CALLS:
            answer = await client.call_tool(name, given)
            assert not answer.is_error, answer.content
            jsonschema.validate(answer.structured_content, tools[name].output_schema)
            assert json.loads(answer.content[0].text) == answer.structured_content

    asyncio.run(used(mode, use))


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_what_is_wrong_with_a_call_is_said_in_words(mode):
    async def use(client):
        answer = await client.call_tool("ray", {"ray": RECORD["RayID"], "depth": 99})
        assert answer.is_error and "depth accepts a number from 0 to 64" in answer.content[0].text

    asyncio.run(used(mode, use))
