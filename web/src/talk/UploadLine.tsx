import { IconButton } from "../ui/IconButton";
import { CheckIcon, CloseIcon, FileIcon, ReloadIcon } from "../ui/icons";
import { words } from "../words";
import type { Upload } from "./Upload";
import "./UploadLine.css";

const text = words.talk.composer;

interface UploadLineProps {
  readonly upload: Upload;
  readonly onRemove: () => void;
}

/** A file that is to be sent with the message, and how far it is. */
export function UploadLine({ upload, onRemove }: UploadLineProps) {
  const now = upload.state.value;
  const share = now.state === "sending" && upload.file.size > 0 ? now.sent / upload.file.size : 0;
  return (
    <li class={`upload-line upload-line--${now.state}`}>
      {now.state === "done" ? <CheckIcon /> : <FileIcon />}
      <span class="upload-line__text">
        <span class="truncate" dir="auto">
          {upload.name}
        </span>
        {now.state === "failed" ? (
          <span class="upload-line__why" role="alert">
            {now.why}
          </span>
        ) : (
          <span class="upload-line__about">
            {words.talk.files.size(upload.file.size)}
            {now.state === "sending" && ` · ${text.uploading(Math.floor(share * 100))}`}
            {now.state === "done" && <span class="visually-hidden"> {text.uploaded}</span>}
          </span>
        )}
      </span>
      {now.state === "sending" && (
        <progress class="upload-line__bar" value={share} max={1} aria-label={upload.name} />
      )}
      {now.state === "failed" && (
        <IconButton
          size="small"
          label={text.retryFile(upload.name)}
          icon={<ReloadIcon />}
          onClick={() => void upload.send()}
        />
      )}
      <IconButton size="small" label={text.removeFile(upload.name)} icon={<CloseIcon />} onClick={onRemove} />
    </li>
  );
}
