import { useComputed, useSignal } from "@preact/signals";
import type { VNode } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { useChat } from "../app/chat";
import { actionOf } from "../app/keys";
import type { Entry, MessageEntry } from "../sync/api";
import { Button } from "../ui/Button";
import { Spinner } from "../ui/Spinner";
import { words } from "../words";
import { useConversation } from "./Conversation";
import "./MessageLog.css";
import { Beginning } from "./Beginning";
import { DayLine } from "./DayLine";
import { Heard } from "./Heard";
import { ToEnd, ToUnread } from "./LogJumps";
import { LogRow } from "./LogRow";
import { keyOf, rowsOf } from "./rows";
import { Scroller } from "./Scroller";
import { TypingLine } from "./TypingLine";
import { useFirstUnread } from "./useFirstUnread";
import { useReading } from "./useReading";

const text = words.talk.log;
/** How near to the edge of what is loaded the reader may come before more is, in heights of the view. */
const NEAR = 2.5;
/** How long a message that was jumped to is pointed at, in milliseconds. */
const POINT = 2000;

/** The messages of the conversation, without end both ways. */
export function MessageLog() {
  const conversation = useConversation();
  const { timeline, me, room, threadRoot, roomId, reveal } = conversation;
  const chat = useChat();
  const box = useRef<HTMLElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const scroller = useRef<Scroller>();
  const atEnd = useSignal(true);
  const placed = useSignal(false);
  const target = useRef<number>();
  const shown = useSignal<number | undefined>(undefined);
  const current = useSignal<string | undefined>(undefined);
  const reading = useReading(conversation, () => lastSeen(scroller.current, timeline.entries.peek(), me));

  const rows = useComputed(() =>
    rowsOf(timeline.entries.value, {
      me,
      readSeq: reading.line.value,
      threadRoot,
      atStart: timeline.atStart.value,
    }),
  ).value;
  /** Counts what was asked to be shown. */
  const turn = useRef(0);

  const firstUnread = useFirstUnread(box, reading.line, timeline);
  /** Others may be seen than before. */
  const looked = () => {
    if (placed.peek()) firstUnread.look();
    reading.seen();
  };

  const loadMore = () => {
    const now = scroller.current;
    if (!now || !placed.peek() || timeline.loading.peek() || timeline.error.peek()) return;
    const { above, below, height } = now.room;
    if (above < NEAR * height && !timeline.atStart.peek()) void timeline.older();
    else if (below < NEAR * height && !timeline.atEnd.peek()) void timeline.newer();
  };

  useLayoutEffect(() => {
    if (!box.current || !content.current) return;
    const whole = () => timeline.atEnd.peek();
    const made = new Scroller(box.current, content.current, whole, () => {
      atEnd.value = made.isAtEnd;
      timeline.follow(made.isAtEnd);
      loadMore();
      looked();
    });
    scroller.current = made;
    return () => made.close();
  }, [conversation]);

  const go = async (place: { seq: number } | { time: number } | "unread" | "end") => {
    turn.current += 1;
    const mine = turn.current;
    const seq = await timeline.jump(place);
    // Something else was asked for meanwhile, and an answer that comes late must not lead away from it.
    if (mine !== turn.current) return;
    target.current = seq;
    placed.value = true;
    if (seq !== undefined) show();
    // One who has gone up meanwhile, because nothing is unread, is not taken back.
    else if (place !== "unread" || scroller.current?.isAtEnd) scroller.current?.toEnd();
    else loadMore();
  };

  /** Show what was asked for, as soon as it is there. */
  const show = () => {
    const seq = target.current;
    if (seq === undefined) return;
    const entry = timeline.entries.peek().find((one) => "seq" in one && one.seq >= seq);
    if (!entry || entry.kind === "gap" || entry.kind === "pending") return;
    const key = entry.kind === "note" ? `note-${entry.seq}` : keyOf(entry, me);
    if (!scroller.current?.show(key)) return;
    target.current = undefined;
    current.value = key;
  };

  /** As it was when the reader came: by now the server may have it that everything is read. */
  const goToUnread = async () => {
    const after = reading.line.peek();
    if (after !== undefined) await go({ seq: after + 1 });
  };

  useEffect(() => {
    if (reveal.peek()) return;
    void go("unread");
  }, [conversation]);

  useEffect(
    () =>
      reveal.subscribe((wanted) => {
        if (!wanted) return;
        void go(wanted).then(() => {
          if (!("seq" in wanted)) return;
          shown.value = wanted.seq;
          setTimeout(() => {
            if (shown.peek() === wanted.seq) shown.value = undefined;
          }, POINT);
        });
      }),
    [conversation],
  );

  useEffect(() => {
    let first = true;
    return conversation.toEnd.subscribe(() => {
      if (!first) void go("end");
      first = false;
    });
  }, [conversation]);

  useLayoutEffect(() => {
    scroller.current?.settle();
    show();
    loadMore();
    looked();
  }, [rows]);

  useEffect(() => timeline.loading.subscribe(() => loadMore()), [conversation]);

  const pointed = shown.value;
  const days = useMemo(() => {
    scroller.current?.hold();
    const found: { key: string; time: number; nodes: VNode[] }[] = [];
    for (const row of rows) {
      if (row.kind === "day") {
        found.push({ key: row.key, time: row.time, nodes: [] });
        continue;
      }
      if (found.length === 0) found.push({ key: "before", time: 0, nodes: [] });
      found.at(-1)?.nodes.push(<LogRow key={row.key} row={row} current={current} />);
    }
    return found;
  }, [rows]);

  useEffect(() => {
    const element = content.current?.querySelector(`[data-seq="${pointed}"]`);
    element?.classList.add("message-row--pointed");
    return () => element?.classList.remove("message-row--pointed");
  }, [pointed]);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target instanceof HTMLElement && !event.target.matches("article")) return;
    const action = actionOf(event, "messages");
    if (!action) return;
    const articles = [...(content.current?.querySelectorAll<HTMLElement>("article") ?? [])];
    const at = articles.indexOf(document.activeElement as HTMLElement);
    if (action === "write") {
      conversation.focusComposer.value++;
      event.preventDefault();
      return;
    }
    const to: Partial<Record<typeof action, number>> = {
      older: at - 1,
      newer: at + 1,
      first: 0,
      last: articles.length - 1,
    };
    const next = to[action];
    if (next === undefined || at < 0) return;
    event.preventDefault();
    if (next >= articles.length) conversation.focusComposer.value++;
    else articles[Math.max(0, next)]?.focus();
  };

  const rowsShown = rows.some((row) => row.kind === "said" || row.kind === "note");
  return (
    <div class="message-log">
      <section
        class="message-log__box"
        ref={box}
        aria-label={threadRoot === undefined ? text.messages : text.replies}
        aria-busy={!placed.value}
        onKeyDown={onKeyDown}
        // A keyboard must be able to scroll it where there is no message to go to.
        tabIndex={rowsShown ? -1 : 0}
      >
        <div class="message-log__content" ref={content}>
          <Beginning />
          {days.map((day) => (
            <div key={day.key} class="message-log__day">
              {day.time > 0 && <DayLine time={day.time} />}
              {day.nodes}
            </div>
          ))}
        </div>
      </section>
      {timeline.loading.value === "newer" && (
        // Not among the messages: what goes from their end would move them.
        <p class="message-log__newer">
          <Spinner label={words.common.loading} />
        </p>
      )}
      {timeline.error.value && (
        <p class="message-log__error" role="alert">
          {timeline.error.value}{" "}
          <Button size="small" onClick={() => void timeline.older().then(loadMore)}>
            {words.common.tryAgain}
          </Button>
        </p>
      )}
      {firstUnread.above.value && <ToUnread count={reading.waited.value} onClick={() => void goToUnread()} />}
      {!atEnd.value && rowsShown && (
        <ToEnd
          count={timeline.reading.value?.unread ?? timeline.behind.value}
          onClick={() => void go("end")}
        />
      )}
      <Heard entries={timeline.entries.value} live={timeline.atEnd.value} />
      <TypingLine
        userIds={threadRoot === undefined ? room.value.typing : chat.typingIn(roomId, threadRoot).value}
      />
    </div>
  );
}

/** The number of the last message that the reader has before their eyes. */
function lastSeen(scroller: Scroller | undefined, entries: readonly Entry[], me: string): number | undefined {
  const key = scroller?.lastVisible();
  if (!key) return undefined;
  const found = entries.find((entry) => {
    if (entry.kind === "note") return key === `note-${entry.seq}`;
    return (entry.kind === "message" || entry.kind === "pending") && keyOf(entry, me) === key;
  });
  if (found?.kind === "message" || found?.kind === "note") return found.seq;
  // What waits to be sent comes after all that has arrived.
  return found
    ? entries.findLast((entry): entry is MessageEntry => entry.kind === "message")?.seq
    : undefined;
}
