import { useEffect, useRef } from "preact/hooks";
import type { MessageEntry } from "../sync/api";
import { IconButton } from "../ui/IconButton";
import { EditIcon, MoreIcon, ReplyIcon, SmileIcon, ThreadIcon } from "../ui/icons";
import { Menu } from "../ui/Menu";
import { words } from "../words";
import { EmojiChoice } from "./EmojiChoice";
import "./MessageToolbar.css";
import type { MessageActions } from "./useMessageActions";

const text = words.talk.message;

interface MessageToolbarProps {
  readonly entry: MessageEntry;
  readonly actions: MessageActions;
}

/** What is done most often with a message, over its end. */
export function MessageToolbar({ entry, actions }: MessageToolbarProps) {
  const can = actions.abilities();
  const bar = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const row = bar.current?.closest("article");
    const onContextMenu = (event: MouseEvent) => {
      // Links, images and chosen text have a menu of the browser's.
      if (event.target instanceof Element && event.target.closest("a, img, textarea")) return;
      if (getSelection()?.toString()) return;
      event.preventDefault();
      bar.current?.querySelector<HTMLElement>(".menu > .icon-button")?.click();
    };
    row?.addEventListener("contextmenu", onContextMenu);
    return () => row?.removeEventListener("contextmenu", onContextMenu);
  }, []);

  return (
    <div class="message-toolbar" ref={bar} role="toolbar" aria-label={text.actions}>
      {can.react && (
        <IconButton
          size="small"
          label={text.react}
          icon={<SmileIcon />}
          aria-expanded={actions.choosing}
          onClick={() => actions.choose(!actions.choosing)}
        />
      )}
      {can.reply && (
        <IconButton size="small" label={text.reply} icon={<ReplyIcon />} onClick={actions.reply} />
      )}
      {can.thread && (
        <IconButton size="small" label={text.thread} icon={<ThreadIcon />} onClick={actions.thread} />
      )}
      {can.edit && <IconButton size="small" label={text.edit} icon={<EditIcon />} onClick={actions.edit} />}
      <Menu size="small" label={text.more} icon={<MoreIcon />} items={actions.items()} />
      {actions.choosing && (
        <EmojiChoice
          chosen={entry.reactions.filter(({ mine }) => mine).map(({ emoji }) => emoji)}
          onChoose={actions.react}
          onClose={() => actions.choose(false)}
        />
      )}
    </div>
  );
}
