import { defineConfig } from "vitest/config";
import { budget } from "./plugins/budget";
import { gzipped } from "./plugins/gzip";
import { serviceWorker } from "./plugins/serviceWorker";
import { sharedWorker } from "./plugins/sharedWorker";

/** Where `npm run dev` finds a server; `make run` starts one there. */
const SERVER = process.env.GRPC_CHAT_SERVER ?? "http://localhost:8080";

export default defineConfig({
  base: "/",
  plugins: [
    sharedWorker(),
    serviceWorker("src/shell/serviceWorker.ts"),
    budget({ bytes: 150 * 1024, shown: ["/src/talk/RoomList.tsx", "/src/talk/RoomView.tsx"] }),
    gzipped(),
  ],
  build: {
    outDir: "../grpc_chat/web/client",
    emptyOutDir: true,
    target: ["chrome123", "firefox121", "safari17.5"],
    // What is small goes into the page as `data:` otherwise, which the server's policy keeps out.
    assetsInlineLimit: 0,
    // It would add a script of its own to the page.
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  worker: { format: "es" },
  server: {
    proxy: {
      "/chat.v1.": { target: SERVER, changeOrigin: true, headers: { origin: SERVER } },
      "/files": { target: SERVER, changeOrigin: true },
    },
  },
  test: { include: ["src/**/*.test.{ts,tsx}", "plugins/**/*.test.ts"] },
});
