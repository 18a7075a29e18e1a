import type { Plugin } from "vite";

const SUFFIX = "?sharedworker&url";

/**
 * Builds the SharedWorker together with the page, so that both load what they have in common from the same files: the
 * messages of the API and what encodes them are half of each.
 */
export function sharedWorker(): Plugin {
  return {
    name: "shared-worker",
    apply: "build",
    enforce: "pre",
    async resolveId(source, importer) {
      if (!source.endsWith(SUFFIX)) return null;
      const found = await this.resolve(source.slice(0, -SUFFIX.length), importer);
      return found && `\0shared-worker:${found.id}`;
    },
    load(id) {
      const worker = id.startsWith("\0shared-worker:") ? id.slice("\0shared-worker:".length) : undefined;
      if (!worker) return null;
      const reference = this.emitFile({ type: "chunk", id: worker, name: "worker" });
      return `export default import.meta.ROLLUP_FILE_URL_${reference};`;
    },
  };
}
