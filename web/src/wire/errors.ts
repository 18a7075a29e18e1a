import { BinaryReader } from "@bufbuild/protobuf/wire";
import { Code, ConnectError } from "@connectrpc/connect";

export { Code } from "@connectrpc/connect";

interface Details {
  readonly reason?: string;
  readonly field?: string;
  readonly retryAfter?: number;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A call failed, or its outcome is unknown. `message` is the server's sentence for a person. */
export class ChatError extends Error {
  override readonly name = "ChatError";
  readonly code: Code;
  /** What programs go by, such as `ROOM_NOT_FOUND`. Empty where something else than the server answered. */
  readonly reason: string;
  /** The path of the wrong field in the request, such as `messages[3].text`. */
  readonly field: string | undefined;
  /** How long to wait before trying again, in milliseconds. */
  readonly retryAfter: number | undefined;
  /** What the sentence mentions. */
  readonly metadata: Readonly<Record<string, string>>;

  constructor(code: Code, message: string, details: Details = {}) {
    super(message);
    this.code = code;
    this.reason = details.reason ?? "";
    this.field = details.field;
    this.retryAfter = details.retryAfter;
    this.metadata = details.metadata ?? {};
  }

  /** Whether the caller has to sign in again. */
  get signedOut(): boolean {
    return this.code === Code.Unauthenticated && this.reason !== "LOGIN_FAILED";
  }

  /** Whether nobody knows what became of the call: the network or the server was not there. */
  get unreachable(): boolean {
    return this.reason === "" && (this.code === Code.Unavailable || this.code === Code.DeadlineExceeded);
  }
}

/** Whatever was thrown, as a `ChatError`. */
export function toChatError(thrown: unknown): ChatError {
  if (thrown instanceof ChatError) return thrown;
  const error = ConnectError.from(thrown);
  const details = read(error);
  if (details.reason) return new ChatError(error.code, error.rawMessage, details);
  // What `fetch` throws without a network has no status of its own, and a proxy's page has no reason.
  const lost = error.code === Code.Unknown && !(thrown instanceof ConnectError && thrown.cause === undefined);
  return new ChatError(lost ? Code.Unavailable : error.code, error.rawMessage);
}

function read(error: ConnectError): Details {
  let found: Details = {};
  for (const detail of error.details) {
    if (!("type" in detail) || !(detail.value instanceof Uint8Array)) continue;
    const name = detail.type.slice(detail.type.lastIndexOf("/") + 1);
    try {
      if (name === "google.rpc.ErrorInfo") found = { ...found, ...errorInfo(detail.value) };
      else if (name === "google.rpc.BadRequest") found = { ...found, ...badRequest(detail.value) };
      else if (name === "google.rpc.RetryInfo") found = { ...found, ...retryInfo(detail.value) };
    } catch {
      // A detail that can't be read says nothing; the status and the sentence remain.
    }
  }
  return found;
}

/** The fields of a message whose values have a length, or are numbers. */
function* fields(data: Uint8Array): Generator<[number, Uint8Array | bigint]> {
  const reader = new BinaryReader(data);
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (type === 2) yield [number, reader.bytes()];
    else if (type === 0) yield [number, BigInt(reader.int64())];
    else reader.skip(type, number);
  }
}

function text(value: Uint8Array | bigint): string {
  return typeof value === "bigint" ? String(value) : new TextDecoder().decode(value);
}

function errorInfo(data: Uint8Array): Details {
  let reason = "";
  const metadata: Record<string, string> = {};
  for (const [number, value] of fields(data)) {
    if (number === 1) reason = text(value);
    if (number === 3 && value instanceof Uint8Array) {
      const pair = new Map([...fields(value)].map(([part, content]) => [part, text(content)]));
      metadata[pair.get(1) ?? ""] = pair.get(2) ?? "";
    }
  }
  return { reason, metadata };
}

function badRequest(data: Uint8Array): Details {
  for (const [number, violation] of fields(data)) {
    if (number !== 1 || !(violation instanceof Uint8Array)) continue;
    for (const [part, value] of fields(violation)) if (part === 1) return { field: text(value) };
  }
  return {};
}

function retryInfo(data: Uint8Array): Details {
  for (const [number, delay] of fields(data)) {
    if (number !== 1 || !(delay instanceof Uint8Array)) continue;
    const parts = new Map(fields(delay));
    const seconds = parts.get(1) ?? 0n;
    const nanos = parts.get(2) ?? 0n;
    if (typeof seconds === "bigint" && typeof nanos === "bigint")
      return { retryAfter: Number(seconds) * 1000 + Number(nanos) / 1e6 };
  }
  return {};
}
