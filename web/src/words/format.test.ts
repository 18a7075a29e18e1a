import { describe, expect, it } from "vitest";
import { formatDay, formatList, formatRelative, formatSize, plural } from "./format";

const NOON = new Date(2026, 10, 28, 12).getTime();
const HOUR = 3_600_000;

describe("plural", () => {
  it("takes the form of the number, and says it", () => {
    const forms = { one: "# message", other: "# messages" };
    expect([0, 1, 2, 1234].map((count) => plural(count, forms))).toEqual([
      "0 messages",
      "1 message",
      "2 messages",
      "1,234 messages",
    ]);
  });
});

describe("formatDay", () => {
  it("goes by the calendar, not by 24 hours", () => {
    expect(formatDay(NOON - 11 * HOUR, NOON)).toBe("Today");
    expect(formatDay(NOON - 13 * HOUR, NOON)).toBe("Yesterday");
    expect(formatDay(NOON - 37 * HOUR, NOON)).toBe("Thursday, November 26");
    expect(formatDay(new Date(2025, 0, 2).getTime(), NOON)).toBe("January 2, 2025");
  });
});

describe("the rest", () => {
  it("says times, sizes and lists as people do", () => {
    expect(formatRelative(NOON - 2 * HOUR, NOON)).toBe("2 hours ago");
    expect(formatRelative(NOON + 90_000, NOON)).toBe("in 2 minutes");
    expect([0, 999, 1500, 24_600_000].map((size) => formatSize(size))).toEqual([
      "0 byte",
      "999 byte",
      "1.5 kB",
      "25 MB",
    ]);
    expect(formatList(["Ada", "Bob", "Cleo"])).toBe("Ada, Bob, and Cleo");
  });
});
