import { useState } from "preact/hooks";
import { useChat } from "../app/chat";
import type { MessageEntry, ReactionView } from "../sync/api";
import { PlusIcon } from "../ui/icons";
import { showError } from "../ui/toasts";
import { formatNumber, words } from "../words";
import { abilitiesOf } from "./abilities";
import { useConversation } from "./Conversation";
import { EmojiChoice } from "./EmojiChoice";
import { useNames } from "./names";
import "./Reactions.css";

const text = words.talk.reactions;

/** Which emoji people chose for a message. */
export function Reactions({ entry }: { readonly entry: MessageEntry }) {
  const chat = useChat();
  const { room, me } = useConversation();
  const [choosing, setChoosing] = useState(false);
  const may = abilitiesOf(entry, room.peek(), me).react;
  const react = (emoji: string, on: boolean) =>
    void chat.react(entry.roomId, entry.seq, emoji, on).catch(showError);
  return (
    <ul class="reactions">
      {entry.reactions.map((reaction) => (
        <li key={reaction.emoji}>
          <ReactionButton
            reaction={reaction}
            disabled={!may}
            onClick={() => react(reaction.emoji, !reaction.mine)}
          />
        </li>
      ))}
      {may && (
        <li>
          <button
            type="button"
            class="reactions__one reactions__add"
            title={text.add}
            aria-label={text.add}
            aria-expanded={choosing}
            onClick={() => setChoosing(!choosing)}
          >
            <PlusIcon />
          </button>
          {choosing && (
            <EmojiChoice
              onChoose={(emoji) => {
                setChoosing(false);
                react(emoji, true);
              }}
              onClose={() => setChoosing(false)}
            />
          )}
        </li>
      )}
    </ul>
  );
}

interface ReactionButtonProps {
  readonly reaction: ReactionView;
  readonly disabled: boolean;
  readonly onClick: () => void;
}

function ReactionButton({ reaction, disabled, onClick }: ReactionButtonProps) {
  const names = useNames(reaction.userIds.slice(0, 10));
  const who = names.length > 0 ? text.who(names, reaction.count - names.length) : "";
  return (
    <button
      type="button"
      class="reactions__one"
      aria-pressed={reaction.mine}
      aria-label={text.label(reaction.emoji, reaction.count)}
      title={who}
      disabled={disabled}
      onClick={onClick}
    >
      <span class="reactions__emoji">{reaction.emoji}</span>
      <span class="reactions__count">{formatNumber(reaction.count)}</span>
    </button>
  );
}
