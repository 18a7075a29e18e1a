import { expect, it } from "vitest";
import type { Entry, PendingEntry } from "../sync/api";
import { message, note } from "./doubles";
import { type Row, rowsOf } from "./rows";

const NOON = new Date(2026, 10, 28, 12).getTime();
const MINUTE = 60_000;

function said(rows: readonly Row[]): string[] {
  return rows.map((row) => {
    if (row.kind !== "said") return row.kind;
    return `${row.first ? "+" : "-"}${row.entry.text}`;
  });
}

it("puts what one person says in a few minutes under one name", () => {
  const entries: Entry[] = [
    message({ seq: 1, userId: "ada", time: NOON, text: "a" }),
    message({ seq: 2, userId: "ada", time: NOON + 4 * MINUTE, text: "b" }),
    message({ seq: 3, userId: "ada", time: NOON + 9 * MINUTE, text: "c" }),
    message({ seq: 4, userId: "bob", time: NOON + 9 * MINUTE, text: "d" }),
    note({ seq: 5, time: NOON + 9 * MINUTE }),
    message({ seq: 6, userId: "bob", time: NOON + 9 * MINUTE, text: "e" }),
    message({ seq: 7, userId: "bob", time: NOON + 9 * MINUTE, text: "f", replyTo: 1 }),
  ];
  expect(said(rowsOf(entries, { me: "me" }))).toEqual(["day", "+a", "-b", "+c", "+d", "note", "+e", "+f"]);
});

it("begins each day with a line", () => {
  const entries = [
    message({ seq: 1, time: NOON, text: "a" }),
    message({ seq: 2, time: NOON + 12 * 60 * MINUTE, text: "b" }),
  ];
  expect(said(rowsOf(entries, { me: "me" }))).toEqual(["day", "+a", "day", "+b"]);
});

it("draws one line before the first message of others that is unread", () => {
  const entries = [
    message({ seq: 1, userId: "ada", time: NOON, text: "a" }),
    message({ seq: 2, userId: "me", time: NOON, text: "b" }),
    message({ seq: 3, userId: "ada", time: NOON, text: "c" }),
    message({ seq: 4, userId: "ada", time: NOON, text: "d" }),
  ];
  expect(said(rowsOf(entries, { me: "me", readSeq: 1 }))).toEqual(["day", "+a", "+b", "new", "+c", "-d"]);
  expect(said(rowsOf(entries, { me: "me", readSeq: 4 }))).not.toContain("new");
  expect(said(rowsOf(entries, { me: "me" }))).not.toContain("new");
});

it("keeps the key of a message while it is sent", () => {
  const pending: PendingEntry = {
    kind: "pending",
    roomId: "general",
    clientMessageId: "id",
    time: NOON,
    text: "a",
    files: [],
    cards: [],
    state: "sending",
  };
  const stored = message({ seq: 1, userId: "me", time: NOON, text: "a", clientMessageId: "id" });
  const keys = [[pending], [stored]].map((entries) => rowsOf(entries, { me: "me" }).map(({ key }) => key));
  expect(keys[0]).toEqual(keys[1]);
});
