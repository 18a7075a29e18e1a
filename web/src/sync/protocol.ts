/** What pages and the one engine of a browser say to each other. */
import type { Code } from "@connectrpc/connect";
import { ChatError } from "../wire/errors";
import type { Identity } from "../wire/transport";
import type { Entry, Notice, Place, ReadState } from "./api";
import type { Splice } from "./diff";

/** Methods of the chat that pages call by name. All may be repeated: another tab may have to carry them out. */
export const METHODS = [
  "send",
  "resend",
  "discard",
  "edit",
  "remove",
  "react",
  "pin",
  "vote",
  "closePoll",
  "markRead",
  "markUnread",
  "follow",
  "typing",
  "stopTyping",
  "saveDraft",
  "draft",
  "message",
  "retryNow",
  "signOut",
] as const;

export type Method = (typeof METHODS)[number];

export type ToHost =
  | { kind: "attach"; identity: Identity; visible: boolean; notified: boolean }
  | { kind: "call"; id: number; method: Method; args: readonly unknown[] }
  | { kind: "watch"; what: "person"; userId: string }
  | { kind: "watch"; what: "typing"; roomId: string; root: number }
  | { kind: "open"; timeline: number; roomId: string; threadRoot?: number }
  | { kind: "move"; id: number; timeline: number; to: "older" | "newer" | { place: Place } }
  | { kind: "follow"; timeline: number; on: boolean }
  | { kind: "shut"; timeline: number }
  | { kind: "page"; visible?: boolean; online?: boolean; notified?: boolean; asleep?: boolean }
  | { kind: "bye" };

export type ToPage =
  /** The host is there, or is another one: pages say again who they are and what they look at. */
  | { kind: "hello" }
  | { kind: "set"; topic: string; value: unknown }
  | { kind: "splice"; topic: string; splices: readonly Splice<unknown>[] }
  /** A timeline: how it is, and what changed in its entries, which belong together. */
  | { kind: "timeline"; timeline: number; state: TimelineState; splices: readonly Splice<Entry>[] }
  | { kind: "done"; id: number; value: unknown }
  | { kind: "failed"; id: number; error: Failure }
  | { kind: "notice"; notice: Notice }
  /** Another version of the client, or another user, has taken over. */
  | { kind: "superseded" };

export interface TimelineState {
  atStart: boolean;
  atEnd: boolean;
  loading: "older" | "newer" | "jump" | undefined;
  error: string | undefined;
  behind: number;
  reading: ReadState | undefined;
}

export interface Failure {
  code: Code;
  message: string;
  reason: string;
  field: string | undefined;
  retryAfter: number | undefined;
  metadata: Readonly<Record<string, string>>;
}

export function failure(of: ChatError): Failure {
  const { code, message, reason, field, retryAfter, metadata } = of;
  return { code, message, reason, field, retryAfter, metadata };
}

export function thrown({ code, message, reason, field, retryAfter, metadata }: Failure): ChatError {
  return new ChatError(code, message, {
    reason,
    metadata,
    ...(field === undefined ? {} : { field }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
  });
}
