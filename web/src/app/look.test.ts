// @vitest-environment happy-dom
import { expect, it } from "vitest";
import first from "../../public/look.js?raw";
import { formatTime } from "../words";
import { chooseLook, DENSITIES, followLook, HOURS, look, SIZES, THEMES } from "./look";

const AFTERNOON = new Date(2026, 10, 28, 14, 30).getTime();
const shown = () => ({ ...document.documentElement.dataset });

it("looks before anything is drawn as it does then", () => {
  followLook();
  const seen = new Set<string>();
  for (const theme of THEMES)
    for (const density of DENSITIES)
      for (const size of SIZES) {
        chooseLook({ theme, density, size });
        const then = shown();
        for (const name of Object.keys(then)) delete document.documentElement.dataset[name];
        new Function(first)();
        expect(shown(), JSON.stringify(look.value)).toEqual(then);
        seen.add(JSON.stringify(then));
      }
  expect(seen.size).toBe(THEMES.length * DENSITIES.length * SIZES.length);
});

it("follows other tabs, and takes nothing that it does not know", () => {
  localStorage.setItem("grpc-chat.look", JSON.stringify({ theme: "dark", density: "x", size: 3 }));
  dispatchEvent(new StorageEvent("storage", { key: "grpc-chat.look" }));
  expect(look.value).toEqual({ theme: "dark", density: "comfortable", size: "normal", hours: "local" });
  localStorage.setItem("grpc-chat.look", "{");
  dispatchEvent(new StorageEvent("storage", { key: "grpc-chat.look" }));
  expect(look.value.theme).toBe("system");
});

it("writes times with 12 or 24 hours", () => {
  const times = HOURS.map((hours) => {
    chooseLook({ hours });
    return formatTime(AFTERNOON).toLowerCase();
  });
  expect(times[1]).toMatch(/^2:30\s?pm$/);
  expect(times[2]).toBe("14:30");
  expect(times.slice(1)).toContain(times[0]);
});
