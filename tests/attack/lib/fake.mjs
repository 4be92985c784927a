// A server that stands for a bad Worker: what an attack's checks must notice. A check that passes here cannot fail.
import http from "node:http";

/** Runs `probe(url)` against a server that answers with `answer(request, response)`; what the probe says is wrong. */
export async function against(answer, probe) {
  const server = http.createServer((request, response) => {
    request.on("error", () => {});
    response.on("error", () => {});
    const given = answer(request, response);
    if (given) {
      const { status = 200, headers = {}, body = "" } = given;
      response.writeHead(status, headers);
      response.end(body);
    }
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  try {
    return await probe(`http://127.0.0.1:${server.address().port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}
