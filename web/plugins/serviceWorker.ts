import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

const NAME = "sw.js";

/** Builds the service worker, and tells it what to keep: all files of the build, and a name for them together. */
export function serviceWorker(source: string): Plugin {
  let folder = "";
  return {
    name: "service-worker",
    apply: "build",
    enforce: "post",
    configResolved: (config) => {
      folder = config.publicDir;
    },
    buildStart() {
      this.emitFile({ type: "chunk", id: source, fileName: NAME });
    },
    generateBundle: {
      order: "post",
      handler(_options, bundle) {
        const worker = bundle[NAME];
        if (worker?.type !== "chunk") throw new Error(`${NAME} was not built`);
        if (worker.imports.length > 0)
          throw new Error(`${NAME} must be one file, and imports ${worker.imports}`);
        const whole = createHash("sha256");
        const files = ["/"];
        for (const file of Object.values(bundle).sort((a, b) => (a.fileName < b.fileName ? -1 : 1))) {
          whole.update(file.fileName).update(file.type === "chunk" ? file.code : file.source);
          if (file.fileName.startsWith("assets/")) files.push(`/${file.fileName}`);
        }
        for (const name of readdirSync(folder).sort()) {
          whole.update(name).update(readFileSync(join(folder, name)));
          files.push(`/${name}`);
        }
        const kept = JSON.stringify({ build: whole.digest("hex").slice(0, 16), files });
        const code = worker.code.replace(/(["'`])__KEPT__\1/, () => JSON.stringify(kept));
        if (code === worker.code) throw new Error(`${NAME} has no place for what to keep`);
        worker.code = code;
      },
    },
  };
}
