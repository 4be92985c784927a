// A stand-in for the issuer of Cloudflare Access: one key of RSA, the document that publishes it, and assertions.
//
// It lets the suite ask as any number of callers, since a grant may name a whole domain.
import { createSign, generateKeyPairSync } from "node:crypto";
import http from "node:http";
import { ASSERTION } from "./names.mjs";

const AUDIENCE = "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2";
const KID = "attack-1";

/** What each domain of addresses is granted. */
const GRANTS = [
  { email_domain: "viewers.example", scopes: ["read"], role: "viewer" },
  { email_domain: "forensics.example", scopes: ["read"], role: "forensics" },
  { email_domain: "operators.example", scopes: ["read", "deliver", "admin"], role: "viewer" },
  { email_domain: "ingest.example", scopes: ["ingest"], role: "viewer" },
];

const text = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** Starts an issuer. */
export async function startIssuer() {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const { n, e } = publicKey.export({ format: "jwk" });
  const document = JSON.stringify({ keys: [{ kid: KID, kty: "RSA", alg: "RS256", use: "sig", n, e }] });
  const server = http.createServer((request, response) => {
    const known = request.url.startsWith("/cdn-cgi/access/certs");
    response.writeHead(known ? 200 : 404, { "content-type": "application/json" });
    response.end(known ? document : "{}");
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const address = `http://127.0.0.1:${server.address().port}`;
  const made = new Map();
  return {
    settings: { ACCESS_TEAM: address, ACCESS_AUD: AUDIENCE, ACCESS_GRANTS: JSON.stringify(GRANTS), ACCESS_PLAIN_HTTP: "allow" },
    /** The headers of a person, as Access adds them behind its cookie. */
    headers(email) {
      if (!made.has(email)) made.set(email, assertion(privateKey, address, email));
      return { [ASSERTION]: made.get(email) };
    },
    stop: () => new Promise((done) => (server.close(done), server.closeAllConnections())),
  };
}

function assertion(key, address, email) {
  const now = Math.floor(Date.now() / 1000);
  const claims = { aud: [AUDIENCE], iss: address, email, sub: email, type: "app", iat: now - 10, nbf: now - 10, exp: now + 3_600 };
  const signed = `${text({ alg: "RS256", kid: KID, typ: "JWT" })}.${text(claims)}`;
  return `${signed}.${createSign("RSA-SHA256").update(signed).sign(key).toString("base64url")}`;
}
