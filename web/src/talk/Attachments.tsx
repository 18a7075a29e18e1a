import { useEffect, useRef, useState } from "preact/hooks";
import { useCalls } from "../app/context";
import type { FileView } from "../sync/api";
import { harmlessLine } from "../text/characters";
import { DownloadIcon, FileIcon, ImageIcon } from "../ui/icons";
import { Spinner } from "../ui/Spinner";
import { showError } from "../ui/toasts";
import { words } from "../words";
import "./Attachments.css";
import { download, imageUrl, isImage } from "./fileContent";
import { ImageViewer } from "./ImageViewer";

const text = words.talk.files;

/** The files of a message: images to look at, others to download. */
export function Attachments({ files }: { readonly files: readonly FileView[] }) {
  const [open, setOpen] = useState<number>();
  const images = files.filter(isImage);
  const others = files.filter((file) => !isImage(file));
  return (
    <div class="attachments">
      {images.length > 0 && (
        <div class="attachments__images">
          {images.map((file, index) => (
            <button
              key={file.fileId}
              type="button"
              class="attachments__image"
              aria-label={text.open(harmlessLine(file.name))}
              title={harmlessLine(file.name)}
              onClick={() => setOpen(index)}
            >
              <Preview file={file} alone={images.length === 1} />
            </button>
          ))}
        </div>
      )}
      {others.map((file) => (
        <FileLine key={file.fileId} file={file} />
      ))}
      {open !== undefined && <ImageViewer images={images} start={open} onClose={() => setOpen(undefined)} />}
    </div>
  );
}

/** A file by its name and size; pressing it downloads it. */
export function FileLine({ file }: { readonly file: FileView }) {
  const calls = useCalls();
  const [busy, setBusy] = useState(false);
  const get = async () => {
    setBusy(true);
    try {
      await download(calls, file);
    } catch (error) {
      showError(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <button
      type="button"
      class="attachments__file"
      aria-label={text.download(harmlessLine(file.name))}
      aria-disabled={busy || undefined}
      onClick={busy ? undefined : () => void get()}
    >
      <FileIcon />
      <span class="attachments__name truncate" dir="auto">
        {harmlessLine(file.name)}
      </span>
      <span class="attachments__size">{text.size(file.size)}</span>
      {busy ? <Spinner /> : <DownloadIcon />}
    </button>
  );
}

/** Largest edges of a preview in the list, in CSS pixels. */
const MOST = { width: 360, height: 280 };

function Preview({ file, alone }: { readonly file: FileView; readonly alone: boolean }) {
  const calls = useCalls();
  const [url, setUrl] = useState<string>();
  const [failed, setFailed] = useState(false);
  const holder = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    let wanted = true;
    const load = () =>
      imageUrl(calls, file, file.preview).then(
        (found) => wanted && setUrl(found),
        () => wanted && setFailed(true),
      );
    const watcher = new IntersectionObserver(
      ([entry]) => {
        if (!entry?.isIntersecting) return;
        watcher.disconnect();
        void load();
      },
      { rootMargin: "600px" },
    );
    if (holder.current) watcher.observe(holder.current);
    return () => {
      wanted = false;
      watcher.disconnect();
    };
  }, [file.fileId]);
  const { width, height } = fitted(file, alone);
  // An image that is on its way takes the place that it will have.
  return (
    <span ref={holder} class="attachments__preview">
      {url && !failed ? (
        <img src={url} width={width} height={height} alt="" onError={() => setFailed(true)} />
      ) : (
        <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden="true" />
      )}
      {failed && (
        <span class="attachments__failed">
          <ImageIcon />
          <span class="truncate">{harmlessLine(file.name)}</span>
        </span>
      )}
    </span>
  );
}

function fitted(file: FileView, alone: boolean): { width: number; height: number } {
  const wide = file.width || 1;
  const high = file.height || 1;
  const most = alone ? MOST : { width: 200, height: 160 };
  const scale = Math.min(1, most.width / wide, most.height / high);
  return { width: Math.max(40, Math.round(wide * scale)), height: Math.max(40, Math.round(high * scale)) };
}
