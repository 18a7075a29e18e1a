import type { Interceptor, Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";

/** Who calls: the session in the browser's cookie, or, on a server with trusted ids, a name. */
export type Identity = { readonly kind: "cookie" } | { readonly kind: "trusted"; readonly userId: string };

/** How long a call may take, in milliseconds; streams last. */
export const DEADLINE = 10_000;

/** What carries the calls of a page or a worker of the server's own. */
export function createTransport(identity: Identity, baseUrl: string = location.origin): Transport {
  return createConnectTransport({
    baseUrl,
    useBinaryFormat: true,
    defaultTimeoutMs: DEADLINE,
    interceptors: [identified(identity), emptied],
    fetch: (input, init) => fetch(input, { ...init, cache: "no-store", referrerPolicy: "no-referrer" }),
  });
}

function identified(identity: Identity): Interceptor {
  return (next) => (request) => {
    if (identity.kind === "cookie") request.header.set("X-Chat-Session", "cookie");
    else request.header.set("Authorization", `Bearer ${encodeURIComponent(identity.userId)}`);
    return next(request);
  };
}

/**
 * Lets go of what streams bring.
 *
 * Connect races each read against one promise that lasts as long as the stream, and a race keeps its result until all in it
 * have settled: a stream that lasts all day would keep all that it ever brought.
 */
const emptied: Interceptor = (next) => async (request) => {
  const response = await next(request);
  return response.stream ? { ...response, message: withEmptyResults(response.message) } : response;
};

async function* withEmptyResults<T>(messages: AsyncIterable<T>): AsyncIterable<T> {
  const iterator = messages[Symbol.asyncIterator]();
  try {
    for (;;) {
      const result = await iterator.next();
      if (result.done) return;
      const message = result.value;
      (result as { value: T | undefined }).value = undefined;
      yield message;
    }
  } finally {
    await iterator.return?.();
  }
}
