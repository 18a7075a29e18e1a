import { words } from "../words";
import { useConversation } from "./Conversation";
import { useNames } from "./names";

/** Who is writing. Screen readers leave it out: it changes all the time. */
export function TypingLine({ userIds }: { readonly userIds: readonly string[] }) {
  const { me } = useConversation();
  const names = useNames(userIds.filter((userId) => userId !== me).slice(0, 4));
  return (
    <p class="message-log__typing truncate" aria-hidden="true" dir="auto">
      {names.length > 0 && words.talk.log.typing(names)}
    </p>
  );
}
