// Records as Logpush writes them, made by hand, and the worst ones that the Worker's limits allow.

const RAY_EPOCH_MS = 1_350_000_000_000;

/** The ray of a request at that time, with these low 28 bits. */
export function rayAt(ms, low) {
  const ticks = BigInt(Math.floor((ms - RAY_EPOCH_MS) / 10));
  return ((ticks << 28n) | BigInt(low & 0xfffffff)).toString(16).padStart(16, "0");
}

/** A line of `http_requests`. */
export function request({ ms, low, host = "www.a.example", zone, ...more }) {
  const zoneName = zone ?? host.split(".").slice(-2).join(".");
  return JSON.stringify({
    RayID: rayAt(ms, low),
    EdgeStartTimestamp: new Date(ms).toISOString(),
    EdgeEndTimestamp: new Date(ms + 20).toISOString(),
    ZoneName: zoneName,
    ClientRequestHost: host,
    ClientRequestMethod: "GET",
    ClientRequestURI: `/page/${low}`,
    ClientIP: "192.0.2.7",
    ClientRequestUserAgent: "Mozilla/5.0",
    EdgeResponseStatus: 200,
    EdgeResponseBytes: 512,
    EdgeColoCode: "SJC",
    ...more,
  });
}

/** A line of `firewall_events`. */
export function firewallEvent({ ms, low, host = "www.a.example", ...more }) {
  return JSON.stringify({
    Action: "block",
    ClientIP: "192.0.2.7",
    ClientRequestHost: host,
    ClientRequestPath: `/page/${low}`,
    Datetime: new Date(ms).toISOString(),
    Kind: "firewall",
    RayID: rayAt(ms, low),
    RuleID: "rule",
    Source: "waf",
    ZoneName: host.split(".").slice(-2).join("."),
    ...more,
  });
}

/** The key of a batch of that time, as Logpush makes it. */
export function keyOf(dataset, ms, number) {
  const stamp = (at) => new Date(at).toISOString().replace(/[-:]|\.\d+/g, "");
  const day = stamp(ms).slice(0, 8);
  return `logs/${dataset}/${day}/${stamp(ms)}_${stamp(ms + 30_000)}_${number.toString(16).padStart(8, "0")}.log.gz`;
}

/** A record that stays in the limits of its line, `bytes` long, whose `member` is made of `piece` again and again. */
function filled(line, member, bytes, piece, [open, shut] = ["[", "]"]) {
  const head = line.slice(0, -1);
  const count = Math.floor((bytes - head.length - member.length - 8) / (piece(0).length + 1));
  return `${head},"${member}":${open}${Array.from({ length: count }, (_, at) => piece(at)).join(",")}${shut}}`;
}

/** A Worker trace with as much console output as the platform keeps: 237 KB. */
export function worstTrace(ms, low) {
  const trace = JSON.stringify({
    EventTimestampMs: ms,
    EventType: "fetch",
    Outcome: "ok",
    ScriptName: "shop",
    DispatchNamespace: "",
    Entrypoint: "",
    Event: { RayID: rayAt(ms, low), Request: { URL: "https://www.a.example/", Method: "GET" }, Response: { Status: 200 } },
    Exceptions: [],
    ScriptTags: [],
    ScriptVersion: {},
  });
  const words = "the order was taken and goes on its way now, said the shop ".repeat(3);
  const line = (at) => JSON.stringify({ Level: "log", Message: [`${at} ${words}`], TimestampMs: ms });
  return filled(trace, "Logs", 237_000, line);
}

/** A record whose values grow when they are masked: `1` becomes a word. */
export function growingValues(ms, low, bytes) {
  const { SecurityActions: _, ...rest } = JSON.parse(request({ ms, low }));
  return filled(JSON.stringify(rest), "SecurityActions", bytes, () => "1");
}

/** A record whose names and values grow when they are masked, since no list has them. */
export function growingNames(ms, low, bytes) {
  const line = request({ ms, low }).slice(0, -1);
  const members = [];
  for (let [at, left] = [0, bytes - line.length]; left > 0; at += 1) {
    const member = `"${at.toString(36)}@b.co":1`;
    members.push(member);
    left -= member.length + 1;
  }
  return `${line},${members.join(",")}}`;
}

/** A record whose text grows 11 times in NFKC, the form in which it is judged. */
export function growingText(ms, low, bytes) {
  const line = request({ ms, low, ClientRequestURI: "" });
  return request({ ms, low, ClientRequestURI: "\ufdfa".repeat(Math.floor((bytes - line.length) / 3)) });
}

/** Records of one ray, each `bytes` long, which do not compress well. */
export function manyOfRay(ms, low, count, bytes, random) {
  const filler = (at) => `${at}-${random.text(64)}`.padEnd(bytes - 500, "lorem ipsum ");
  return Array.from({ length: count }, (_, at) => request({ ms, low, ClientRequestReferer: `https://www.a.example/${filler(at)}` }));
}
