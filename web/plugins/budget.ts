import { gzipSync } from "node:zlib";
import type { OutputBundle, OutputChunk } from "rollup";
import type { Plugin } from "vite";

interface Budget {
  /** Most bytes, compressed. */
  readonly bytes: number;
  /** Besides the page and the worker: lazy modules that the first screen shows, by the ends of their paths. */
  readonly shown: readonly string[];
}

/** Fails a build whose first screen, an open room, has the browser load more than the budget. */
export function budget({ bytes, shown }: Budget): Plugin {
  return {
    name: "budget",
    apply: "build",
    enforce: "post",
    generateBundle: {
      order: "post",
      handler(_options, bundle) {
        const files = new Set<string>();
        for (const chunk of first(bundle, shown)) collect(bundle, chunk, files);
        const sizes = [...files].map((name) => [name, compressed(bundle, name)] as const);
        const whole = sizes.reduce((sum, [, size]) => sum + size, 0);
        const listed = sizes
          .sort(([, a], [, b]) => b - a)
          .map(([name, size]) => `${String(size).padStart(8)} ${name}`)
          .join("\n");
        if (whole > bytes)
          this.error(`the first screen takes ${whole} bytes, and may take ${bytes}:\n${listed}`);
        this.info(`the first screen takes ${whole} bytes of ${bytes}:\n${listed}`);
      },
    },
  };
}

function first(bundle: OutputBundle, shown: readonly string[]): OutputChunk[] {
  const chunks = Object.values(bundle).filter((file) => file.type === "chunk");
  const pages = chunks.filter((chunk) => chunk.isEntry && chunk.facadeModuleId?.endsWith(".html"));
  const workers = chunks.filter((chunk) => chunk.name === "worker");
  const views = shown.map((path) => {
    const found = chunks.find((chunk) => chunk.moduleIds.some((id) => id.endsWith(path)));
    if (!found) throw new Error(`the first screen shows ${path}, which is not in the build`);
    return found;
  });
  if (pages.length !== 1 || workers.length !== 1) throw new Error("there must be one page and one worker");
  return [...pages, ...workers, ...views];
}

/** A chunk, all that it imports at once, and their styles. */
function collect(bundle: OutputBundle, chunk: OutputChunk, files: Set<string>): void {
  if (files.has(chunk.fileName)) return;
  files.add(chunk.fileName);
  for (const style of chunk.viteMetadata?.importedCss ?? []) files.add(style);
  for (const name of chunk.imports) {
    const imported = bundle[name];
    if (imported?.type === "chunk") collect(bundle, imported, files);
  }
}

function compressed(bundle: OutputBundle, name: string): number {
  const file = bundle[name];
  if (!file) throw new Error(`${name} is not in the build`);
  return gzipSync(file.type === "chunk" ? file.code : file.source, { level: 9 }).length;
}
