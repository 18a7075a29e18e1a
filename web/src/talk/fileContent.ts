import type { FileView } from "../sync/api";
import type { Calls } from "../wire/calls";

/** So many previews and pictures stay in memory. */
const KEPT = 100;

const kept = new Map<string, Promise<string>>();

/** An address, only of this page, at which an image's preview or the image itself is. It fails as the download does. */
export function imageUrl(calls: Calls, file: FileView, preview: boolean): Promise<string> {
  const key = `${preview ? "small" : "whole"} ${file.fileId}`;
  const known = kept.get(key);
  if (known) {
    kept.delete(key);
    kept.set(key, known);
    return known;
  }
  const type = preview ? "image/webp" : file.mediaType;
  const loading = content(calls, file.fileId, preview).then((parts) =>
    URL.createObjectURL(new Blob(parts, { type })),
  );
  kept.set(key, loading);
  loading.catch(() => kept.delete(key));
  const [oldest] = kept;
  if (kept.size > KEPT && oldest) {
    kept.delete(oldest[0]);
    void oldest[1].then(
      (url) => URL.revokeObjectURL(url),
      () => undefined,
    );
  }
  return loading;
}

/** Images that browsers show, and that hold no program. */
export function isImage(file: FileView): boolean {
  return /^image\/(png|jpeg|webp|gif)$/.test(file.mediaType) && (file.width ?? 0) > 0;
}

/** Gives a file to the browser to keep: by a link where the server makes some, otherwise by this page. */
export async function download(calls: Calls, file: FileView): Promise<void> {
  const link = document.createElement("a");
  link.download = file.name;
  link.rel = "noopener";
  // The page has it as bytes of no kind, so that no browser shows it as a page of ours.
  const parts = await content(calls, file.fileId, false);
  const url = URL.createObjectURL(new Blob(parts, { type: "application/octet-stream" }));
  link.href = url;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

async function content(calls: Calls, fileId: string, preview: boolean): Promise<Uint8Array<ArrayBuffer>[]> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for await (const { data } of calls.files.downloadFile({ fileId, preview }, { timeoutMs: 0 }))
    if (data.length > 0) parts.push(new Uint8Array(data));
  return parts;
}
