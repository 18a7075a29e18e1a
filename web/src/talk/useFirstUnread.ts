import { type ReadonlySignal, useSignal } from "@preact/signals";
import type { RefObject } from "preact";
import { useRef } from "preact/hooks";
import type { Timeline } from "../sync/api";
import { looks } from "./useReading";

export interface FirstUnread {
  /** Whether the first message that is new to the reader is above what they see, and has not been seen. */
  readonly above: ReadonlySignal<boolean>;
  /** Call when other messages may be before their eyes. */
  readonly look: () => void;
}

/** Where the first message that is new to the reader is, so that they can be led there. */
export function useFirstUnread(
  box: RefObject<HTMLElement>,
  line: ReadonlySignal<number | undefined>,
  timeline: Timeline,
): FirstUnread {
  const above = useSignal(false);
  const seen = useRef<number>();
  const look = () => {
    const after = line.peek();
    const row = box.current?.querySelector(".log-row__new");
    const isAbove = () => {
      if (after === undefined || after === seen.current || !box.current) return false;
      if (row) return row.getBoundingClientRect().bottom < box.current.getBoundingClientRect().top;
      // It is not among those that are loaded.
      const first = timeline.entries.peek().find((entry) => "seq" in entry);
      return first !== undefined && first.seq > after + 1 && !timeline.atStart.peek();
    };
    above.value = isAbove();
    if (row && !above.value && looks()) seen.current = after;
  };
  return { above, look };
}
