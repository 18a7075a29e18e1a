import { useMemo } from "preact/hooks";
import { personPath } from "../app/paths";
import type { MessageEntry } from "../sync/api";
import { Markdown } from "../text/Markdown";
import { navigate } from "../ui/location";

interface MessageTextProps {
  readonly text: string;
  readonly mentions?: MessageEntry["mentions"] | undefined;
  readonly me?: string;
}

/** What a message says. */
export function MessageText({ text, mentions, me }: MessageTextProps) {
  const mentioned = useMemo(
    () => mentions && { userIds: mentions.userIds, room: mentions.room, ...(me && { me }) },
    [mentions, me],
  );
  return (
    <Markdown
      text={text}
      {...(mentioned && { mentioned })}
      onPerson={(userId) => navigate(personPath(userId))}
    />
  );
}
