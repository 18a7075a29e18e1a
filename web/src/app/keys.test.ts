// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { words } from "../words";
import { actionOf, caps, KEYS, type Place } from "./keys";

const press = (key: string, held: KeyboardEventInit = {}) => new KeyboardEvent("keydown", { key, ...held });

describe("the keys", () => {
  it("stand for one thing each at a place, and all have words", () => {
    for (const [place, actions] of Object.entries(KEYS)) {
      const keys = Object.values(actions).flat();
      expect(new Set(keys).size, place).toBe(keys.length);
      expect(Object.keys(words.keys[place as Place].actions), place).toEqual(Object.keys(actions));
    }
  });

  it("are found with what is held, and not with anything else", () => {
    expect(actionOf(press("k", { ctrlKey: true }), "anywhere")).toBe("goTo");
    expect(actionOf(press("K", { metaKey: true }), "anywhere")).toBe("goTo");
    expect(actionOf(press("k"), "anywhere")).toBeUndefined();
    expect(actionOf(press("k", { ctrlKey: true, shiftKey: true }), "anywhere")).toBeUndefined();
    expect(actionOf(press("?", { shiftKey: true }), "anywhere")).toBe("help");
    expect(actionOf(press("ArrowDown", { altKey: true }), "anywhere")).toBe("nextRoom");
    expect(actionOf(press("ArrowDown", { altKey: true, shiftKey: true }), "anywhere")).toBe("nextUnread");
    expect(actionOf(press("ArrowDown", { altKey: true, ctrlKey: true }), "anywhere")).toBeUndefined();
    expect(actionOf(press("+", { shiftKey: true }), "messages")).toBe("react");
    expect(actionOf(press("E"), "messages")).toBeUndefined();
    expect(actionOf(press("Backspace"), "messages")).toBe("remove");
    expect(actionOf(press("r", { ctrlKey: true }), "messages")).toBeUndefined();
    expect(actionOf(press("Enter", { shiftKey: true }), "composer")).toBe("newLine");
    expect(actionOf(press("Enter", { altKey: true }), "composer")).toBeUndefined();
  });

  it("are written as on a keyboard", () => {
    expect(
      [...Object.values(KEYS.anywhere).flat(), "+", "e", "Shift+Enter"].map((key) => caps(key).join(" ")),
    ).toEqual(["Ctrl K", "?", "Alt ↓", "Alt ↑", "Alt Shift ↓", "Alt Shift ↑", "+", "E", "Shift Enter"]);
  });
});
