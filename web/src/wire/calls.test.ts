import { afterEach, expect, it, vi } from "vitest";
import { createCalls } from "./calls";
import { ChatError, Code } from "./errors";

afterEach(() => vi.unstubAllGlobals());

function answering(status: number, body: object) {
  const fetched = vi.fn(async (_input: URL | string, _init: RequestInit) =>
    Response.json(body, { status, headers: { "content-type": "application/json" } }),
  );
  vi.stubGlobal("fetch", fetched);
  return fetched;
}

it("fails with a ChatError, and says who calls", async () => {
  const fetched = answering(401, {
    code: "unauthenticated",
    message: "log in again",
    details: [{ type: "google.rpc.ErrorInfo", value: "Cg1TRVNTSU9OX0VOREVE" }],
  });
  const failing = createCalls({ kind: "cookie" }, "https://chat.example").auth.getMe({});

  await expect(failing).rejects.toBeInstanceOf(ChatError);
  await expect(failing).rejects.toMatchObject({
    code: Code.Unauthenticated,
    reason: "SESSION_ENDED",
    signedOut: true,
  });
  const [input, init] = fetched.mock.lastCall ?? [];
  expect(String(input)).toBe("https://chat.example/chat.v1.AuthService/GetMe");
  expect(new Headers(init?.headers).get("X-Chat-Session")).toBe("cookie");
  expect(init).toMatchObject({ cache: "no-store" });
});

it("encodes ids that are no ASCII, and knows a network that is not there", async () => {
  const fetched = vi.fn(async (_input: string, _init: RequestInit) =>
    Promise.reject(new TypeError("Failed to fetch")),
  );
  vi.stubGlobal("fetch", fetched);
  const calls = createCalls({ kind: "trusted", userId: "Zoë" }, "https://chat.example");

  await expect(calls.auth.getMe({})).rejects.toMatchObject({ code: Code.Unavailable, unreachable: true });
  const headers = new Headers(fetched.mock.lastCall?.[1].headers);
  expect([headers.get("Authorization"), headers.has("X-Chat-Session")]).toEqual(["Bearer Zo%C3%AB", false]);
  await expect(
    (async () => {
      for await (const _ of calls.subscribe.subscribe({}, { timeoutMs: 0 }));
    })(),
  ).rejects.toMatchObject({ unreachable: true });
});
