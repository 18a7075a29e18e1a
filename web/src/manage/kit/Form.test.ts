// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { ChatError, Code } from "../../wire/errors";
import { words } from "../../words";
import { Form } from "./Form";

const failing = (error: ChatError) => async () => {
  throw error;
};

describe("Form", () => {
  it("puts an error beside the field that it names, without the name", async () => {
    const form = new Form({ newPassword: "x", other: "" });
    const error = new ChatError(Code.InvalidArgument, "new_password must be at least 8 bytes", {
      field: "new_password",
    });
    expect(await form.submit(failing(error))).toBe(false);
    expect(form.errors.value).toEqual({ newPassword: "Must be at least 8 bytes." });
    expect(form.failure.value).toBeUndefined();
    form.set("newPassword", "xy");
    expect(form.errors.value).toEqual({});
  });

  it("says what is too long before the server does, and does not ask it", async () => {
    const form = new Form({ name: "", topic: "", note: "" });
    form.set("name", "é".repeat(33));
    form.set("note", "x".repeat(10_000));
    expect(form.errors.value).toEqual({ name: words.common.tooLong(2, 64) });
    let asked = 0;
    const ask = async () => {
      asked++;
    };
    expect(await form.submit(ask)).toBe(false);
    form.set("name", "é".repeat(32));
    expect(form.errors.value).toEqual({});
    expect(await form.submit(ask)).toBe(true);
    expect(asked).toBe(1);
  });

  it("finds the field behind a path, by a table, and by the reason", async () => {
    const form = new Form({ name: "", code: "" }, { allows_it: "code", ROOM_EXISTS: "name" });
    for (const [details, place] of [
      [{ field: "room.name" }, "name"],
      [{ field: "allows_it" }, "code"],
      [{ reason: "ROOM_EXISTS" }, "name"],
    ] as const) {
      await form.submit(failing(new ChatError(Code.InvalidArgument, "no", details)));
      expect(Object.keys(form.errors.value)).toEqual([place]);
    }
  });

  it("says below the fields what concerns none of them", async () => {
    const form = new Form({ name: "" });
    await form.submit(
      failing(new ChatError(Code.PermissionDenied, "you may not", { field: "room_id", reason: "X" })),
    );
    expect([form.errors.value, form.failure.value]).toEqual([{}, "You may not."]);
    await form.submit(failing(new ChatError(Code.Unavailable, "fetch failed")));
    expect(form.failure.value).toBe(words.common.unreachable);
    await form.submit(async () => undefined);
    expect(form.failure.value).toBeUndefined();
  });

  it("does one thing at a time", async () => {
    const form = new Form({ name: "" });
    let done = 0;
    let release = () => {};
    const first = form.submit(async () => {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      done++;
    });
    expect([form.busy.value, await form.submit(async () => void done++)]).toEqual([true, false]);
    release();
    expect([await first, done, form.busy.value]).toEqual([true, 1, false]);
  });

  it("knows what is changed", () => {
    const form = new Form({ name: "a", scopes: [1, 2] });
    form.set("name", "b");
    form.set("scopes", [1, 2]);
    expect(form.changes()).toEqual(["name"]);
    form.reset(form.values.value);
    expect(form.changed).toBe(false);
  });

  it("is not done where the page itself refuses a value", async () => {
    const form = new Form({ again: "" });
    expect(await form.submit(async () => form.refuse("again", "differs"))).toBe(false);
    expect(form.errors.value).toEqual({ again: "differs" });
  });
});
