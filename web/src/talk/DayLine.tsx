import { useRef } from "preact/hooks";
import { words } from "../words";
import { useConversation } from "./Conversation";
import "./DayLine.css";

/** Of which day the messages below are; it stays in view while they are, and leads to other days. */
export function DayLine({ time }: { readonly time: number }) {
  const { reveal } = useConversation();
  const field = useRef<HTMLInputElement>(null);
  const day = words.talk.day(time);
  const go = (value: string) => {
    const [year, month, date] = value.split("-").map(Number);
    if (year && month && date) reveal.value = { time: new Date(year, month - 1, date).getTime() };
  };
  return (
    <div class="day-line">
      <button
        type="button"
        class="day-line__day"
        title={words.talk.log.goToDate}
        tabIndex={-1}
        onClick={() => field.current?.showPicker()}
      >
        {day}
      </button>
      <input
        ref={field}
        class="day-line__field"
        type="date"
        tabIndex={-1}
        aria-label={words.talk.log.goToDate}
        onChange={(event) => go(event.currentTarget.value)}
      />
    </div>
  );
}
