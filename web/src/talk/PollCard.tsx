import { useEffect, useId, useState } from "preact/hooks";
import { useChat } from "../app/chat";
import type { MessageEntry, PollView } from "../sync/api";
import { Button } from "../ui/Button";
import { PollIcon } from "../ui/icons";
import { showError } from "../ui/toasts";
import { formatNumber, words } from "../words";
import { useConversation } from "./Conversation";
import "./PollCard.css";

const text = words.talk.poll;

interface PollCardProps {
  readonly entry: MessageEntry;
  readonly poll: PollView;
  readonly canClose: boolean;
}

/** The options of a poll, to choose from, and how it stands. */
export function PollCard({ entry, poll, canClose }: PollCardProps) {
  const chat = useChat();
  const { room } = useConversation();
  const [busy, setBusy] = useState(false);
  /** What was chosen, until the poll says so. */
  const [chosen, setChosen] = useState<readonly number[]>();
  useEffect(() => {
    if (chosen?.join() === poll.mine.join()) setChosen(undefined);
  }, [poll, chosen]);
  const mine = chosen ?? poll.mine;
  const name = useId();
  const open = !poll.closed && room.value.role !== "reader" && !room.value.archived;
  const most = Math.max(1, ...poll.counts);

  const run = async (act: () => Promise<void>) => {
    setBusy(true);
    try {
      await act();
    } catch (error) {
      setChosen(undefined);
      showError(error);
    } finally {
      setBusy(false);
    }
  };
  const vote = (options: readonly number[]) => {
    setChosen(options);
    void run(() => chat.vote(entry.roomId, entry.seq, options));
  };
  const choose = (index: number) => {
    if (!poll.multiple) return vote([index]);
    const next = mine.includes(index) ? mine.filter((one) => one !== index) : [...mine, index];
    vote(next.sort((a, b) => a - b));
  };
  const about = [
    poll.closed ? text.closed : poll.multiple ? text.chooseSeveral : text.choose,
    text.voters(poll.voters),
    poll.anonymous && text.anonymousMark,
    !poll.closed && poll.closeTime !== undefined && text.closesAt(poll.closeTime),
  ];

  return (
    <fieldset class="poll-card">
      <legend class="visually-hidden">{text.poll}</legend>
      <ul class="poll-card__options">
        {poll.options.map((option, index) => {
          const count = poll.counts[index];
          return (
            <li key={option} class="poll-card__option">
              <label class="poll-card__label">
                <input
                  type={poll.multiple ? "checkbox" : "radio"}
                  name={name}
                  checked={mine.includes(index)}
                  disabled={!open || busy}
                  onChange={() => choose(index)}
                />
                <span class="poll-card__text" dir="auto">
                  {option}
                </span>
                {count !== undefined && (
                  <span class="poll-card__count" title={text.votes(count)}>
                    {formatNumber(count)}
                  </span>
                )}
              </label>
              {count !== undefined && (
                <progress class="poll-card__bar" value={count} max={most} aria-label={text.votes(count)} />
              )}
            </li>
          );
        })}
      </ul>
      <p class="poll-card__about">
        <PollIcon />
        {about.filter(Boolean).join(" · ")}
        {open && poll.mine.length > 0 && (
          <Button size="small" variant="quiet" onClick={() => vote([])}>
            {text.takeBack}
          </Button>
        )}
        {canClose && (
          <Button
            size="small"
            variant="quiet"
            busy={busy}
            onClick={() => void run(() => chat.closePoll(entry.roomId, entry.seq))}
          >
            {text.close}
          </Button>
        )}
      </p>
    </fieldset>
  );
}
