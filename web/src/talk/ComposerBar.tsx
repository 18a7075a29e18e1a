import type { MessageEntry } from "../sync/api";
import { IconButton } from "../ui/IconButton";
import { CloseIcon } from "../ui/icons";
import { words } from "../words";
import { useName } from "./names";
import { excerpt } from "./Quote";

const text = words.talk.composer;

/** What is replied to. */
export function ReplyBar({ entry, onClose }: { readonly entry: MessageEntry; readonly onClose: () => void }) {
  const name = useName(entry.userId);
  return <Bar label={words.talk.message.replyTo(name)} about={excerpt(entry)} onClose={onClose} />;
}

interface BarProps {
  readonly label: string;
  readonly about: string;
  readonly onClose: () => void;
}

/** What the message that is written is about. */
export function Bar({ label, about, onClose }: BarProps) {
  return (
    <div class="composer__bar">
      <span class="composer__bar-label">{label}</span>
      <span class="composer__bar-about truncate" dir="auto">
        {about}
      </span>
      <IconButton size="small" label={text.cancel} icon={<CloseIcon />} onClick={onClose} />
    </div>
  );
}
