"""Cloudflare's own Python SDK against raydex: nothing but the base URL and the token are changed.

For pytest, run by tests/clients/world.mjs. Each answer is compared with the batches themselves, which are read here
without any of raydex's code.
"""

import collections
import datetime
import gzip
import json
import os
import pathlib

import cloudflare
import pytest
from cloudflare import Cloudflare

URL, TOKEN, ZONE, ZONE_NAME, SAMPLE = (
    os.environ["RAYDEX_" + name] for name in ("URL", "TOKEN", "ZONE", "ZONE_NAME", "SAMPLE")
)
DEFAULTS = (
    "ClientIP ClientRequestHost ClientRequestMethod ClientRequestURI EdgeEndTimestamp EdgeResponseBytes"
    " EdgeResponseStatus EdgeStartTimestamp RayID"
).split()
TIMES = {"EdgeStartTimestamp", "EdgeEndTimestamp"}
# Three minutes: three batches, each with another unit of its timestamps.
RANGE = ("2026-03-28T08:01:00Z", "2026-03-28T08:04:00Z")
# All of it, late records too.
EVER = ("2026-03-28T07:00:00Z", "2026-03-28T09:00:00Z")


def nanoseconds(time):
    """A time as it is stored, in Unix nanoseconds."""
    if isinstance(time, int):
        return time if time > 10**12 else time * 10**9
    return int(datetime.datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()) * 10**9


def spelled(time, form):
    """The same as a client asks for it."""
    at = nanoseconds(time)
    if form == "unixnano":
        return at
    seconds = at // 10**9
    return seconds if form == "unix" else f"{datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def stored():
    """The requests of all zones."""
    manifest = json.loads(pathlib.Path(SAMPLE, "manifest.json").read_text())
    for batch in manifest["batches"]:
        if batch["dataset"] == "http_requests":
            for line in gzip.decompress(pathlib.Path(SAMPLE, batch["key"]).read_bytes()).splitlines():
                yield json.loads(line)


RECORDS = list(stored())


def expected(records, fields=None, form="unixnano"):
    """What an answer with these records holds, in no order."""
    fields = fields or DEFAULTS
    shown = lambda name, value: spelled(value, form) if name in TIMES else value
    lines = ({name: shown(name, record[name]) for name in fields if name in record} for record in records)
    return collections.Counter(json.dumps(line, sort_keys=True) for line in lines)


def got(text):
    """What an answer holds, in no order."""
    return collections.Counter(json.dumps(json.loads(line), sort_keys=True) for line in text.splitlines())


def of_zone(start, end):
    """The records of the zone that began from start to end."""
    first, last = nanoseconds(start), nanoseconds(end)
    ours = (record for record in RECORDS if record["ZoneName"] == ZONE_NAME)
    return [record for record in ours if first <= nanoseconds(record["EdgeStartTimestamp"]) < last]


def client(token=TOKEN):
    return Cloudflare(base_url=URL + "/client/v4", api_token=token, max_retries=0)


def received(span=RANGE, **more):
    return client().logs.received.get(zone_id=ZONE, start=span[0], end=span[1], **more)


def same(answer, records, **more):
    answer, wanted = got(answer), expected(records, **more)
    assert wanted, "the sample holds nothing to compare with"
    assert answer == wanted, f"{answer.total()} lines for {wanted.total()}: {list((answer - wanted) + (wanted - answer))[:2]}"


def test_a_range_is_answered_with_its_records():
    same(received(), of_zone(*RANGE))
    same(received(EVER), of_zone(*EVER))


def test_times_of_a_range_are_taken_in_every_spelling():
    first, last = nanoseconds(RANGE[0]), nanoseconds(RANGE[1])
    for span in [(first, last), (first // 10**9, last // 10**9), (str(first), RANGE[1])]:
        same(received(span), of_zone(*RANGE))


def test_timestamps_come_as_they_are_asked_for():
    for form in ("unixnano", "unix", "rfc3339"):
        same(received(timestamps=form), of_zone(*RANGE), form=form)


def test_the_fields_are_those_that_are_asked_for():
    fields = ["RayID", "EdgeStartTimestamp", "CacheCacheStatus", "NoSuchField"]
    same(received(fields=",".join(fields)), of_zone(*RANGE), fields=fields)


def test_a_count_is_not_passed():
    answer, whole = got(received(count=7)), expected(of_zone(*RANGE))
    assert answer.total() == 7 and not answer - whole, answer


def test_a_sample_is_a_part_and_the_same_each_time():
    answer, whole = got(received(EVER, sample=0.2)), expected(of_zone(*EVER))
    assert 0 < answer.total() < whole.total() and not answer - whole, answer.total()
    assert got(received(EVER, sample=0.2)) == answer


def test_a_ray_is_answered_with_its_records():
    rays = [record["RayID"] for record in of_zone(*EVER)][:20]
    for ray in rays:
        records = [record for record in RECORDS if record["RayID"] == ray]
        same(client().logs.rayid.get(ray, zone_id=ZONE), records)
        same(client().logs.rayid.get(ray + "-SJC", zone_id=ZONE, timestamps="rfc3339"), records, form="rfc3339")
    fields = ["RayID", "ParentRayID"]
    same(client().logs.rayid.get(ray, zone_id=ZONE, fields=",".join(fields)), records, fields=fields)
    assert client().logs.rayid.get("764660d8ec5c2ab1", zone_id=ZONE) == ""


def test_a_ray_of_another_zone_has_no_records():
    ray = next(record["RayID"] for record in RECORDS if record["ZoneName"] != ZONE_NAME)
    assert client().logs.rayid.get(ray, zone_id=ZONE) == ""


def test_the_fields_are_told():
    fields = client().logs.received.fields.get(zone_id=ZONE).to_dict()
    assert all(fields[name] for name in DEFAULTS) and len(fields) > 100, fields


def test_logs_are_kept():
    control = client().logs.control.retention
    assert control.get(zone_id=ZONE).flag is True
    assert control.create(zone_id=ZONE, flag=True).flag is True
    with pytest.raises(cloudflare.BadRequestError):
        control.create(zone_id=ZONE, flag=False)


def test_a_bad_query_is_a_bad_request():
    with pytest.raises(cloudflare.BadRequestError) as caught:
        received(("yesterday", RANGE[1]))
    words = "bad query: error parsing start time: must be unix timestamp or rfc3339 string"
    assert caught.value.response.text.strip() == words
    with pytest.raises(cloudflare.BadRequestError) as caught:
        received((RANGE[1], RANGE[0]))
    assert "start not before end" in caught.value.response.text


def test_a_wrong_token_is_an_authentication_error():
    with pytest.raises(cloudflare.AuthenticationError) as caught:
        client("wrong").logs.received.fields.get(zone_id=ZONE)
    assert caught.value.errors[0].code == 10000


def test_another_zone_is_denied():
    for call in (client().logs.received.fields.get, client().logs.control.retention.get):
        with pytest.raises(cloudflare.PermissionDeniedError) as caught:
            call(zone_id="0" * 32)
        assert caught.value.errors[0].code == 10000


def test_asking_too_often_is_a_rate_limit_error():
    """The last one: the caller may ask nothing for a while."""
    with pytest.raises(cloudflare.RateLimitError) as caught:
        for _ in range(500):
            client().logs.control.retention.get(zone_id=ZONE)
    assert int(caught.value.response.headers["retry-after"]) >= 1
