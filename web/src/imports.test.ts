import { expect, it } from "vitest";

const scripts = import.meta.glob<string>("./**/*.{ts,tsx}", {
  query: "?raw",
  import: "default",
  eager: true,
});
const styles = import.meta.glob<string>("./**/*.css", { query: "?raw", import: "default", eager: true });

/** Which folders a folder may import, besides itself. */
const MAY: Record<string, readonly string[]> = {
  words: [],
  ui: ["words"],
  text: ["words", "ui"],
  wire: [],
  sync: ["wire"],
  app: ["words", "ui", "text", "wire", "sync"],
  talk: ["words", "ui", "text", "wire", "sync", "app"],
  manage: ["words", "ui", "text", "wire", "sync", "app"],
  shell: ["words", "ui", "text", "wire", "sync", "app", "talk", "manage"],
};

function folderOf(path: string): string {
  return path.split("/")[1] ?? "";
}

const sources = Object.entries(scripts).filter(
  ([path]) => path.split("/").length > 2 && !path.includes(".test."),
);

it("lets imports point down only", () => {
  const wrong = sources.flatMap(([path, text]) =>
    [...text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]*)"/g)]
      .map(([, target]) =>
        folderOf(new URL(target ?? "", `file:///${path.slice(2)}`).pathname.replace(/^/, ".")),
      )
      .filter((target) => target !== folderOf(path) && !MAY[folderOf(path)]?.includes(target))
      .map((target) => `${path} imports ${target}/`),
  );
  expect(wrong).toEqual([]);
  expect(sources.length).toBeGreaterThan(10);
});

it("never makes markup of text", () => {
  const forbidden =
    /innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|\beval\(|new Function\(|\sstyle=[{"]/;
  expect(sources.filter(([, text]) => forbidden.test(text)).map(([path]) => path)).toEqual([]);
});

it("has its colours in tokens.css alone", () => {
  const wrong = Object.entries(styles)
    .filter(([path]) => path !== "./ui/tokens.css")
    .filter(([, text]) => /#[0-9a-f]{3,8}\b|\b(rgb|hsl|oklch)a?\(/i.test(text))
    .map(([path]) => path);
  expect(wrong).toEqual([]);
});
