// One way to ask a Worker of the bench.
//
// An answer that is not a success is an error with the answer's text. A connection that the runtime had closed is not:
// the request never arrived, and is sent again.

/** An answer is not what it must be: no figure of it is printed. */
export class Wrong extends Error {}

/** Asks; gives the answer, which is a success. */
export async function ask(url, init) {
  const reply = await fetch(url, init).catch((error) => {
    if (error.cause?.code === "UND_ERR_SOCKET" || error.cause?.code === "ECONNRESET") return fetch(url, init);
    throw error;
  });
  if (!reply.ok) throw new Wrong(`${new URL(url).pathname}: ${reply.status} ${await reply.text()}`);
  return reply;
}
