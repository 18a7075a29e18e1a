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
    interceptors: [identified(identity)],
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
