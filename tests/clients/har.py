"""Archives of requests (`format=har`), read by haralyzer.

For pytest, run by tests/clients/world.mjs. RAYDEX_ARCHIVES: how many rays are asked for.
"""

import gzip
import json
import os
import pathlib
import urllib.request

from haralyzer import HarParser

URL, TOKEN, SAMPLE = (os.environ["RAYDEX_" + name] for name in ("URL", "TOKEN", "SAMPLE"))
ARCHIVES = int(os.environ.get("RAYDEX_ARCHIVES", "100"))


def rays():
    """As many rays of the sample as are wanted, with their records."""
    manifest = json.loads(pathlib.Path(SAMPLE, "manifest.json").read_text())
    found = {}
    for batch in manifest["batches"]:
        if batch["dataset"] == "http_requests":
            for line in gzip.decompress(pathlib.Path(SAMPLE, batch["key"]).read_bytes()).splitlines():
                record = json.loads(line)
                found[record["RayID"]] = record
    step = -(-len(found) // ARCHIVES)
    return list(found.items())[::step]


def test_archives_are_read():
    entries = 0
    for ray, logged in rays():
        request = urllib.request.Request(f"{URL}/v1/rays/{ray}?format=har", headers={"authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(request) as answer:
            parser = HarParser(json.load(answer))
        (page,) = parser.pages
        assert page.title == ray and parser.creator["name"] == "raydex"
        own = [entry for entry in page.entries if entry["_ray"] == ray]
        assert [entry.response.status for entry in own] == [logged["EdgeResponseStatus"]]
        assert own[0].request.method == logged["ClientRequestMethod"]
        assert own[0].request.host == logged["ClientRequestHost"]
        assert all(entry.time >= 0 and entry.startTime for entry in page.entries)
        entries += len(page.entries)
    assert entries >= ARCHIVES / 2
