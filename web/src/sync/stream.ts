/** The one stream of a browser: opened, watched and opened again. What it brings is for others to apply. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import type { Calls } from "../wire/calls";
import type { SubscribeRequest, SubscribeRequestSchema, SubscribeResponse } from "../wire/chat_pb";
import { Start } from "../wire/chat_pb";
import { type ChatError, toChatError } from "../wire/errors";
import type { Connection } from "./api";
import { backoff, Pause } from "./timing";

/** The longest silence that is asked for, in seconds. */
const HEARTBEAT = 20n;
/** A stream that is silent for so many intervals is dead. */
const PATIENCE = 2.5;
/** How long the first answer may take, in ms. */
const FIRST = 15_000;
/** Each response leaves a little behind while its stream lasts: after so many, a quiet moment is used for a new one. */
const RESPONSES = 20_000;
/** Pause after an answer that trying again does not change. */
const REFUSED = 60_000;

export interface Reader {
  /** Everything that has to happen before a stream can be opened. */
  prepare(): Promise<void>;
  cursors(): NonNullable<MessageInitShape<typeof SubscribeRequestSchema>["cursors"]>;
  take(response: SubscribeResponse): Promise<void>;
  /** The server does not know the positions. */
  forgetPositions(): Promise<void>;
  /** What came could not be kept: what is in memory is ahead of the disk. */
  recover(): Promise<void>;
  connection(state: Connection): void;
}

/** What the mirror could not keep; the stream begins again from what it has. */
class NotKept extends Error {}

export class Stream {
  private closed = false;
  private attempt = 0;
  private since = Date.now();
  private online = true;
  private pause = new Pause();
  private abort: AbortController | undefined;
  private lastHeard = 0;
  private silence = FIRST;
  /** Set while waiting makes no sense: only `retry()` goes on. */
  private halted = false;
  /** The stream is only opened anew, which is nobody's concern unless it fails. */
  private quiet = false;
  private ended: Promise<void> | undefined;

  constructor(
    private readonly calls: Calls,
    private readonly reader: Reader,
  ) {}

  start(): void {
    this.ended ??= this.run();
  }

  async close(): Promise<void> {
    this.closed = true;
    this.abort?.abort();
    this.pause.skip();
    await this.ended;
  }

  /** Connects at once, if it is waiting to; notices at once that a stream died while the browser slept. */
  retry(): void {
    this.halted = false;
    if (this.abort && Date.now() - this.lastHeard > this.silence) this.abort.abort();
    this.attempt = 0;
    this.pause.skip();
  }

  /** What the browser says of the network. It may be wrong, so a stream that lives goes on. */
  network(online: boolean): void {
    this.online = online;
    if (online) this.retry();
    else if (!this.abort) this.reader.connection({ state: "offline" });
  }

  private async run(): Promise<void> {
    while (!this.closed) {
      let wait: number;
      let why: string | undefined;
      if (!this.quiet) this.connecting();
      try {
        wait = await this.once();
      } catch (thrown) {
        if (this.closed) return;
        this.quiet = false;
        const error = toChatError(thrown);
        if (thrown instanceof NotKept) await this.reader.recover().catch(() => undefined);
        why = error.message;
        wait = await this.failed(error);
      }
      if (this.closed) return;
      if (wait > 0) {
        if (!this.halted) this.connecting(Date.now() + wait, why);
        await this.pause.wait(wait);
      }
    }
  }

  private connecting(retryAt?: number, why?: string): void {
    if (!this.online) {
      this.reader.connection({ state: "offline" });
      return;
    }
    this.reader.connection({
      state: "connecting",
      since: this.since,
      attempt: this.attempt,
      ...(retryAt !== undefined ? { retryAt } : {}),
      ...(why ? { why } : {}),
    });
  }

  /** How long to wait after a failure. */
  private async failed(error: ChatError): Promise<number> {
    // The status of a stream that the server had to end past a full window has no details.
    const reason = error.reason || (/^([A-Z]+_[A-Z_]+): /.exec(error.message)?.[1] ?? "");
    if (error.signedOut || reason === "SESSION_ENDED" || reason === "OWNER_BLOCKED") {
      this.halted = true;
      this.reader.connection({ state: "signed-out", why: error.message });
      return 2 ** 31 - 1;
    }
    if (reason === "EPOCH_CHANGED" || reason === "BAD_CURSOR") {
      await this.reader.forgetPositions();
      return 0;
    }
    const never = [Code.PermissionDenied, Code.FailedPrecondition, Code.InvalidArgument, Code.Unimplemented];
    if (never.includes(error.code)) {
      this.halted = true;
      this.reader.connection({ state: "refused", why: error.message });
      return REFUSED;
    }
    const wait = Math.max(error.retryAfter ?? 0, backoff(this.attempt));
    this.attempt += 1;
    return wait;
  }

  /** One stream from its beginning to its end; returns how long to wait for the next. */
  private async once(): Promise<number> {
    let count = 0;
    await this.reader.prepare();
    if (this.closed) return 0;
    const abort = new AbortController();
    this.abort = abort;
    this.silence = FIRST;
    let timer = setTimeout(() => abort.abort(), this.silence);
    this.lastHeard = Date.now();
    try {
      const responses = this.calls.subscribe.subscribe(this.request(), {
        signal: abort.signal,
        timeoutMs: 0,
      });
      for await (const response of responses) {
        count += 1;
        clearTimeout(timer);
        if (response.started) {
          const { seconds, nanos } = response.started.heartbeatInterval ?? { seconds: HEARTBEAT, nanos: 0 };
          this.silence = PATIENCE * (Number(seconds) * 1000 + nanos / 1e6);
          if (!this.quiet) this.reader.connection({ state: "catching-up" });
        }
        try {
          await this.reader.take(response);
        } catch (thrown) {
          throw new NotKept(String(thrown), { cause: thrown });
        }
        if (this.closed) return 0;
        if (response.caughtUp) {
          this.attempt = 0;
          this.since = Date.now();
          if (!this.quiet) this.reader.connection({ state: "online" });
          this.quiet = false;
        }
        if (response.draining) {
          const { seconds, nanos } = response.draining.reconnectAfter ?? { seconds: 1n, nanos: 0 };
          return Number(seconds) * 1000 + nanos / 1e6;
        }
        if (count >= RESPONSES && response.heartbeat) {
          this.quiet = true;
          return 0;
        }
        this.lastHeard = Date.now();
        timer = setTimeout(() => abort.abort(), this.silence);
      }
      // A server, or a proxy, that ends streams at once must not be asked again at once.
      this.attempt += 1;
      return backoff(this.attempt - 1);
    } finally {
      clearTimeout(timer);
      this.abort = undefined;
      this.since = Date.now();
      abort.abort();
    }
  }

  private request(): MessageInitShape<typeof SubscribeRequestSchema> {
    return {
      cursors: this.reader.cursors(),
      allRooms: true,
      start: Start.LATEST,
      includeOwn: true,
      invitations: true,
      signals: true,
      readState: true,
      personal: true,
      heartbeatInterval: { seconds: HEARTBEAT, nanos: 0 },
    } satisfies Partial<Record<keyof SubscribeRequest, unknown>>;
  }
}
