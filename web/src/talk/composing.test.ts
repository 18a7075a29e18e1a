import { expect, it } from "vitest";
import type { PendingEntry } from "../sync/api";
import { lastOwn } from "./composing";
import { message, room } from "./doubles";

const pending = (state: PendingEntry["state"]): PendingEntry => ({
  kind: "pending",
  roomId: "general",
  clientMessageId: "p",
  time: 0,
  text: "on its way",
  files: [],
  cards: [],
  state,
});

it("edits the last message, if that is one that can be edited", () => {
  const said = [
    message({ seq: 1, userId: "ada" }),
    message({ seq: 2, userId: "ada" }),
    message({ seq: 3, userId: "bob" }),
    message({ seq: 4, userId: "ada", deleted: { userId: "ada", reason: "" } }),
  ];
  expect(lastOwn(said, "ada", room())?.seq).toBe(2);
  expect(lastOwn(said, "eve", room())).toBeUndefined();
  expect(lastOwn(said, "ada", room({ editWindow: 1000 }))).toBeUndefined();
  // What was just sent is meant, and can't be edited yet.
  expect(lastOwn([...said, pending("sending")], "ada", room())).toBeUndefined();
  expect(lastOwn([...said, pending("failed")], "ada", room())?.seq).toBe(2);
});
