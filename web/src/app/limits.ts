import { type ReadonlySignal, signal } from "@preact/signals";
import type { RequestLimits } from "../wire/chat_pb";
import { formatNumber, formatSize, words } from "../words";

/** How large requests to the server may be; see RequestLimits in chat.proto. */
export interface Limits {
  readonly idBytes: number;
  readonly textBytes: number;
  readonly nameBytes: number;
  readonly topicBytes: number;
  readonly files: number;
  /** 0 where no files can be uploaded. */
  readonly fileBytes: number;
  readonly pollOptions: number;
  readonly optionBytes: number;
  readonly fileNameBytes: number;
}

/** Those of a server whose settings are the usual ones, until it has told its own. */
export const USUAL: Limits = {
  idBytes: 64,
  textBytes: 65_536,
  nameBytes: 64,
  topicBytes: 512,
  files: 10,
  fileBytes: 100 * 1024 * 1024,
  pollOptions: 20,
  optionBytes: 200,
  fileNameBytes: 255,
};

const KEY = "grpc-chat.limits";
const current = signal<Limits>(remembered());

/** What this server takes. Remembered, because people write without a connection, too. */
export const limits: ReadonlySignal<Limits> = current;

/** Go by what the server has told. The server checks everything anyway. */
export function learnLimits(told: RequestLimits | undefined): void {
  if (!told) return;
  const next = { ...USUAL };
  for (const key of Object.keys(USUAL) as (keyof Limits)[]) next[key] = Number(told[key]);
  current.value = next;
  localStorage.setItem(KEY, JSON.stringify(next));
}

const encoder = new TextEncoder();

/** How long a text is in UTF-8, which is how the server counts. */
export function bytesOf(text: string): number {
  return encoder.encode(text).length;
}

/** What to say of a text that is too long; nothing of one that is not. */
export function tooLong(text: string, most: number): string | undefined {
  const over = bytesOf(text) - most;
  return over > 0 ? words.common.tooLong(over, most) : undefined;
}

/** What to say of a file that the server does not take. */
export function refusesFile(file: { readonly name: string; readonly size: number }): string | undefined {
  const { fileBytes, fileNameBytes } = current.value;
  if (fileBytes === 0) return words.common.noUploads;
  if (file.size > fileBytes) return words.common.fileTooLarge(formatSize(fileBytes), formatNumber(fileBytes));
  return tooLong(file.name, fileNameBytes);
}

function remembered(): Limits {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? "null");
    if (typeof found !== "object" || found === null) return USUAL;
    const entries = Object.entries(found).filter(([key, value]) => key in USUAL && typeof value === "number");
    return { ...USUAL, ...Object.fromEntries(entries) };
  } catch {
    return USUAL;
  }
}
