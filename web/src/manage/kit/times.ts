import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** A time of the API in milliseconds since 1970. */
export function toTime(timestamp: Timestamp | undefined): number | undefined {
  return timestamp && Number(timestamp.seconds) * 1000 + Math.floor(timestamp.nanos / 1e6);
}

/** A length of time of the API in milliseconds. */
export function toLength(duration: Duration | undefined): number | undefined {
  return duration && Number(duration.seconds) * 1000 + Math.floor(duration.nanos / 1e6);
}

/** Milliseconds as a length of time of the API. */
export function fromLength(length: number): { seconds: bigint; nanos: number } {
  return { seconds: BigInt(Math.floor(length / 1000)), nanos: (length % 1000) * 1e6 };
}

/** Milliseconds until the day ends here. */
export function untilMidnight(now: number = Date.now()): number {
  const day = new Date(now);
  return new Date(day.getFullYear(), day.getMonth(), day.getDate() + 1).getTime() - now;
}
