import { useEffect, useRef, useState } from "preact/hooks";
import { useCalls } from "../app/context";
import type { FileView } from "../sync/api";
import { harmlessLine } from "../text/characters";
import { IconButton } from "../ui/IconButton";
import { BackIcon, CloseIcon, DownloadIcon, ForwardIcon } from "../ui/icons";
import { Spinner } from "../ui/Spinner";
import { showError } from "../ui/toasts";
import { words } from "../words";
import { download, imageUrl } from "./fileContent";
import "./ImageViewer.css";

const text = words.talk.files;

interface ImageViewerProps {
  readonly images: readonly FileView[];
  readonly start: number;
  readonly onClose: () => void;
}

/** One image over the whole page: arrows show the next, Escape closes. */
export function ImageViewer({ images, start, onClose }: ImageViewerProps) {
  const calls = useCalls();
  const dialog = useRef<HTMLDialogElement>(null);
  const [index, setIndex] = useState(start);
  const [url, setUrl] = useState<string>();
  const [failed, setFailed] = useState(false);
  const file = images[index];

  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      dialog.current?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);

  useEffect(() => {
    let wanted = true;
    setUrl(undefined);
    setFailed(false);
    if (!file) return;
    imageUrl(calls, file, false).then(
      (found) => wanted && setUrl(found),
      () => wanted && setFailed(true),
    );
    return () => {
      wanted = false;
    };
  }, [file?.fileId]);

  if (!file) return null;
  const go = (step: number) => setIndex(Math.max(0, Math.min(images.length - 1, index + step)));
  return (
    <dialog
      ref={dialog}
      class="image-viewer"
      aria-label={harmlessLine(file.name)}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onKeyDown={(event) => {
        const rtl = getComputedStyle(event.currentTarget).direction === "rtl" ? -1 : 1;
        if (event.key === "ArrowRight") go(rtl);
        if (event.key === "ArrowLeft") go(-rtl);
        event.stopPropagation();
      }}
    >
      <header class="image-viewer__bar">
        <span class="image-viewer__name truncate" dir="auto">
          {harmlessLine(file.name)}
        </span>
        <span class="image-viewer__about">
          {images.length > 1 && `${text.position(index + 1, images.length)} · `}
          {text.size(file.size)}
        </span>
        <IconButton
          label={text.download(harmlessLine(file.name))}
          icon={<DownloadIcon />}
          onClick={() => void download(calls, file).catch(showError)}
        />
        <IconButton label={words.common.close} icon={<CloseIcon />} onClick={onClose} />
      </header>
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: Escape does the same */}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: likewise */}
      <div
        class="image-viewer__stage"
        onClick={(event) => {
          if (event.target === event.currentTarget) onClose();
        }}
      >
        {failed && <p role="alert">{text.failed}</p>}
        {!failed && !url && <Spinner label={words.common.loading} />}
        {url && !failed && (
          <img
            class="image-viewer__image"
            src={url}
            alt={harmlessLine(file.name)}
            onError={() => setFailed(true)}
          />
        )}
      </div>
      {images.length > 1 && (
        <>
          <IconButton
            class="image-viewer__previous"
            label={text.previous}
            icon={<BackIcon />}
            disabled={index === 0}
            onClick={() => go(-1)}
          />
          <IconButton
            class="image-viewer__next"
            label={text.next}
            icon={<ForwardIcon />}
            disabled={index === images.length - 1}
            onClick={() => go(1)}
          />
        </>
      )}
    </dialog>
  );
}
