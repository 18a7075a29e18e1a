import { threadPath } from "../app/paths";
import type { ThreadView } from "../sync/api";
import { ThreadIcon } from "../ui/icons";
import { formatMoment, formatRelative, words } from "../words";
import "./ThreadSummary.css";

const text = words.talk.message;

interface ThreadSummaryProps {
  readonly roomId: string;
  readonly root: number;
  readonly thread: ThreadView;
}

/** How many replies a message has; it leads to them. */
export function ThreadSummary({ roomId, root, thread }: ThreadSummaryProps) {
  if (thread.replies === 0) return null;
  return (
    <a class="thread-summary" href={threadPath(roomId, root)}>
      <ThreadIcon />
      <span class="thread-summary__count">{text.replies(thread.replies)}</span>
      {thread.unread > 0 && <span class="thread-summary__unread">{text.unreadReplies(thread.unread)}</span>}
      <span class="thread-summary__time" title={formatMoment(thread.lastTime)}>
        {text.lastReply(formatRelative(thread.lastTime))}
      </span>
    </a>
  );
}
