// @vitest-environment happy-dom
import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { RequestLimitsSchema } from "../wire/chat_pb";
import { words } from "../words";
import { learnLimits, limits, refusesFile, tooLong, USUAL } from "./limits";

it("goes by what the server has told, and says what is too large", () => {
  expect(limits.value).toEqual(USUAL);
  learnLimits(undefined);
  expect(limits.value).toEqual(USUAL);
  learnLimits(create(RequestLimitsSchema, { textBytes: 300, fileBytes: 5000n, fileNameBytes: 5, files: 2 }));
  expect([limits.value.textBytes, limits.value.files]).toEqual([300, 2]);
  expect(tooLong("€".repeat(100), 300)).toBeUndefined();
  expect(tooLong("€".repeat(101), 300)).toBe(words.common.tooLong(3, 300));
  expect(refusesFile({ name: "a.txt", size: 5000 })).toBeUndefined();
  expect(refusesFile({ name: "a.txt", size: 5001 })).toContain("5,000 bytes");
  expect(refusesFile({ name: "abc.txt", size: 1 })).toBe(words.common.tooLong(2, 5));
  learnLimits(create(RequestLimitsSchema, { fileBytes: 0n, fileNameBytes: 255 }));
  expect(refusesFile({ name: "a.txt", size: 1 })).toBe(words.common.noUploads);
  expect(JSON.parse(localStorage.getItem("grpc-chat.limits") ?? "")).toEqual(limits.value);
});
