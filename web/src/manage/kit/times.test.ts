import { describe, expect, it } from "vitest";
import { lengthText } from "./lengths";
import { DAY, fromLength, HOUR, MINUTE, toLength, toTime, untilMidnight } from "./times";

describe("times", () => {
  it("are those of the API and back", () => {
    expect(toTime({ $typeName: "google.protobuf.Timestamp", seconds: 12n, nanos: 345_678_900 })).toBe(12_345);
    expect(toTime(undefined)).toBeUndefined();
    for (const length of [1, 1500, 30 * DAY])
      expect(toLength({ $typeName: "google.protobuf.Duration", ...fromLength(length) })).toBe(length);
  });

  it("end with the day here", () => {
    const evening = new Date(2026, 10, 29, 23, 30).getTime();
    expect(untilMidnight(evening)).toBe(30 * MINUTE);
  });

  it("are said in the largest unit that fits", () => {
    const texts = [5000, MINUTE, 90 * MINUTE, HOUR, DAY, 7 * DAY, 36 * HOUR].map(lengthText);
    expect(texts).toEqual(["5 seconds", "1 minute", "90 minutes", "1 hour", "1 day", "7 days", "36 hours"]);
  });
});
