import { ToEndIcon } from "../ui/icons";
import { words } from "../words";
import "./LogJumps.css";

const text = words.talk.log;

interface LogJumpProps {
  /** How many messages wait there. */
  readonly count: number;
  readonly onClick: () => void;
}

/** Leads up to the first message that is unread. */
export function ToUnread({ count, onClick }: LogJumpProps) {
  return (
    <button
      type="button"
      class="log-jump log-jump--unread"
      title={text.toUnread}
      aria-label={count > 0 ? undefined : text.toUnread}
      onClick={onClick}
    >
      <ToEndIcon />
      {count > 0 && text.unread(count)}
    </button>
  );
}

/** Leads down to the newest message. */
export function ToEnd({ count, onClick }: LogJumpProps) {
  return (
    <button
      type="button"
      class={count > 0 ? "log-jump log-jump--end log-jump--new" : "log-jump log-jump--end"}
      title={text.toEnd}
      aria-label={count > 0 ? undefined : text.toEnd}
      onClick={onClick}
    >
      <ToEndIcon />
      {count > 0 && text.behind(count)}
    </button>
  );
}
