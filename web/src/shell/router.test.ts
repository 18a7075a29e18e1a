import { expect, it } from "vitest";
import { messagePath, roomPath, threadPath } from "../app/paths";
import { find, match } from "./router";

it("finds ids that hold anything, as the paths have them", () => {
  for (const id of ["general", "a/b", "日本", "100%", "..", "a?b#c", " "]) {
    const parsed = new URL(messagePath(id, 7), "https://chat.example");
    // A browser takes `..` out of a path, also where its dots are encoded; a server allows no such id.
    if (id === "..") continue;
    expect(match("/rooms/:roomId/messages/:seq", parsed.pathname)).toEqual({ roomId: id, seq: "7" });
  }
});

it("matches whole paths, whether or not they end with a slash", () => {
  expect(match("/people", "/people/")).toEqual({});
  expect(match("/", "/")).toEqual({});
  expect(match("/people", "/people/x")).toBeUndefined();
  expect(match("/rooms/:roomId", "/rooms/")).toBeUndefined();
  expect(match("/rooms/:roomId", "/rooms/%E0%A4%A")).toBeUndefined();
});

it("takes the first that matches", () => {
  const routes = [{ path: "/rooms/:roomId" }, { path: "/rooms/:roomId/threads/:root" }];
  expect(find(routes, threadPath("r", 3))).toEqual({ route: routes[1], params: { roomId: "r", root: "3" } });
  expect(find(routes, roomPath("r"))?.route).toBe(routes[0]);
  expect(find(routes, "/nowhere")).toBeUndefined();
});
