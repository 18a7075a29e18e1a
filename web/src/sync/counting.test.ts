import { expect, it } from "vitest";
import { Count } from "./counting";

const message = (seq: number, mentions = 0) => ({ seq, unread: 1, mentions });

it("counts on from the server's word, each event once", () => {
  const count = new Count({ seq: 3, unread: 2, mentions: 1, lastSeq: 6 });
  count.add(message(6));
  count.add(message(7, 1));
  count.add(message(7, 1));
  expect(count.marker).toEqual({ seq: 3, unread: 3, mentions: 2, lastSeq: 7 });
  count.add({ seq: 8, unread: 0, mentions: 0, own: true });
  expect(count.marker).toEqual({ seq: 8, unread: 0, mentions: 0, lastSeq: 8 });
});

it("takes a deletion off only if what was deleted is unread", () => {
  const count = new Count({ seq: 5, unread: 2, mentions: 0, lastSeq: 8 });
  count.add({ seq: 9, unread: -1, mentions: 0, target: 4 });
  expect(count.marker.unread).toBe(2);
  count.add({ seq: 10, unread: -1, mentions: 0, target: 7 });
  expect(count.marker.unread).toBe(1);
});

it("counts again what came after a marker that is a little behind", () => {
  const count = new Count({ seq: 0, unread: 0, mentions: 0, lastSeq: 0 });
  for (let seq = 1; seq <= 9; seq += 1) count.add(message(seq));
  expect(count.set({ seq: 6, unread: 1, mentions: 0, lastSeq: 7 })).toBe(false);
  expect(count.marker).toEqual({ seq: 6, unread: 3, mentions: 0, lastSeq: 9 });
  // One that was sent before it and came later counts for nothing.
  expect(count.set({ seq: 2, unread: 4, mentions: 0, lastSeq: 6 })).toBe(false);
  expect(count.marker.seq).toBe(6);
  expect(count.unreadAfter(8)).toMatchObject({ unread: 1 });
});

it("says when it can't know, because too much came since", () => {
  const count = new Count({ seq: 0, unread: 0, mentions: 0, lastSeq: 0 });
  for (let seq = 1; seq <= 1000; seq += 1) count.add(message(seq));
  expect(count.set({ seq: 10, unread: 0, mentions: 0, lastSeq: 10 })).toBe(true);
  expect(count.unreadAfter(10)).toBeUndefined();
});
