import { words } from "../words";
import { useConversation } from "./Conversation";
import "./GapLine.css";

const text = words.talk.log;

interface GapLineProps {
  /** When the entries before and after it came, where they are known. */
  readonly since: number | undefined;
  readonly until: number | undefined;
}

/** Says that there were messages here which nobody can read any longer, or which this user may not. */
export function GapLine({ since, until }: GapLineProps) {
  const { room } = useConversation();
  return <p class="gap-line">{room.value.sinceJoin ? text.hiddenHere : text.gap(since, until)}</p>;
}
