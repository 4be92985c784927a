// Plants: addresses and secrets that nothing else contains, in every field and in every way that people log them.
import fs from "node:fs";
import { jsonOf } from "./http.mjs";

/** Where an address turns up. */
const ADDRESSES = [
  "{}", "/{}:443/x", "ip:{}", "{}/24", "from {} by", "https://{}/login", "user@{}", "[{}]", "for={};proto=https", "{}, 10.0.0.0",
  "client {} was blocked", "rule|{}|deny", "{}-seen", "x={}&y=1", "a.example/{}", "{}:8443",
];
/** Where a secret turns up. */
const SECRETS = [
  "/password/{}", "/reset/{}/confirm", "/token/{}", "token={}", "https://e.example/?api_key={}", "Authorization: Bearer {}", "Authorization:Basic {}",
  "curl -u user:{} https://e.example", "curl --password {}", "x-api-key: {}", "passcode={}", "otp={}", "/magic/{}", "/invite/{}", "session={}; path=/",
  '["token:","{}"]', '{"name":"token","value":"{}"}', '{"password":"{}"}', "ghp_{}ABCDEFGHIJ0123456789", "npm_{}ABCDEFGHIJKLMNOP0123", "{}@mail.example",
  "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{}", "hdnts=exp=1~hmac={}", "mnemonic={}", "refresh_token={}", "https://user:{}@e.example/",
];
/** How long a secret is after its mark. */
const LONG = 18;
const MARK = "q7z";

/** The text fields of each dataset, from schemas/datasets.toml: {dataset: [[name, type]]}. */
export function fieldsOf() {
  const text = fs.readFileSync(new URL("../../../schemas/datasets.toml", import.meta.url), "utf8");
  const found = {};
  let dataset;
  for (const line of text.split("\n")) {
    dataset = /^\[([a-z0-9_]+)\]$/.exec(line)?.[1] ?? dataset;
    const field = /^\s*\["([A-Za-z0-9]+)", "([a-z[\]]+)"\],?$/.exec(line);
    if (field && dataset) (found[dataset] ??= []).push([field[1], field[2]]);
  }
  return found;
}

/** One plant: {kind: "address" | "secret", core, text}. What must not be seen is `core`. */
export function plantOf(random, number) {
  if (number % 2 === 0) {
    const core = number % 8 === 0 ? `2001:db8:${[1, 2, 3, 4].map(() => (4_096 + random.below(61_000)).toString(16)).join(":")}::${(16 + random.below(200)).toString(16)}` : `${[0, 1, 2].map(() => 11 + random.below(200)).join(".")}.${11 + random.below(200)}`;
    const way = ADDRESSES[(number / 2) % ADDRESSES.length];
    const isBare = core.includes(":") && /[:/]\{\}|\{\}[:/]/.test(way);
    return { kind: "address", core, text: way.replace("{}", isBare ? `[${core}]` : core) };
  }
  const core = `${MARK}${random.text(LONG)}`;
  return { kind: "secret", core, text: SECRETS[((number - 1) / 2) % SECRETS.length].replace("{}", core) };
}

/** A value of a field's type with the text in it. */
export function valueOf(type, text) {
  const parsed = (type !== "string" && jsonOf({ text })) || text;
  if (type === "array[object]") return [typeof parsed === "string" ? { Message: [text] } : parsed];
  if (type.startsWith("array")) return Array.isArray(parsed) ? parsed : [text];
  if (type === "object") return { note: parsed };
  return text;
}

/** The plants that a text shows, in any spelling. `cores`: what to look for. */
export function seenIn(text, cores) {
  const found = new Set();
  const look = (core) => cores.has(core) && found.add(core);
  for (const one of spellings(text)) {
    for (const [secret] of one.matchAll(new RegExp(`${MARK}[0-9a-z]{${LONG}}`, "g"))) look(secret);
    for (const [address] of one.matchAll(/2001:db8:[0-9a-f:]+/g)) look(address);
    for (const [numbers] of one.matchAll(/\d+(?:[.-]\d+){3,}/g)) {
      const parts = numbers.split(/[.-]/);
      for (let at = 0; at + 4 <= parts.length; at += 1) look(parts.slice(at, at + 4).join("."));
    }
  }
  return [...found];
}

/** A text as it is, and without escapes of JSON and of addresses, in Unicode's form NFKC. */
function spellings(text) {
  const unescaped = text.replace(/\\u([0-9a-fA-F]{4})/g, (_, code) => String.fromCharCode(parseInt(code, 16)));
  const decoded = unescaped.replace(/%([0-9a-fA-F]{2})/g, (_, code) => String.fromCharCode(parseInt(code, 16)));
  return [...new Set([text, unescaped, decoded, decoded.normalize("NFKC")])];
}
