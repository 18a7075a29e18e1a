import { readdir, readFile, writeFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import type { Plugin } from "vite";

const compress = promisify(gzip);
const TEXTS = new Set([".js", ".css", ".html", ".svg", ".json", ".webmanifest"]);

/** Puts a `.gz` beside each text of the client. They are compressed once and hold nothing of anybody. */
export function gzipped(): Plugin {
  let folder = "";
  return {
    name: "gzipped",
    apply: "build",
    configResolved: (config) => {
      folder = join(config.root, config.build.outDir);
    },
    closeBundle: async () => {
      const files = await readdir(folder, { recursive: true, withFileTypes: true });
      const texts = files.filter((file) => file.isFile() && TEXTS.has(extname(file.name)));
      await Promise.all(
        texts.map(async (file) => {
          const path = join(file.parentPath, file.name);
          const data = await readFile(path);
          const small = await compress(data, { level: constants.Z_BEST_COMPRESSION });
          if (small.length < data.length) await writeFile(`${path}.gz`, small);
        }),
      );
    },
  };
}
